use crate::{args::Import, config::Config, exit::Failure};
pub async fn run(args: &Import, config: &Config) -> Result<(), Failure> {
    let lake = config.open_lake()?;
    let spec = lake::TableSpec { name: "events".into(), description: "".into(), schema: events::schema(), partition_columns: vec!["event_date".into()],
      sort_columns: vec![], stats_columns: vec!["chat_id".into()], bloom_filter_columns: vec!["chat_id".into()] };
    let mut table = lake.table(&spec).await?;
    let mut seen = std::collections::HashSet::new();
    { use futures::TryStreamExt; use arrow::array::Array; let mut s = table.read(&["event_id"], None).await?;
      while let Some(b) = s.try_next().await? { let c = arrow::compute::cast(b.column(0), &arrow::datatypes::DataType::Utf8).unwrap(); let c = c.as_any().downcast_ref::<arrow::array::StringArray>().unwrap().clone(); for i in 0..c.len() { seen.insert(c.value(i).to_owned()); } } }
    let mut rows = vec![];
    for f in &args.files {
        for line in std::fs::read_to_string(f).unwrap().lines() {
            let v: serde_json::Value = serde_json::from_str(line).unwrap();
            #[derive(serde::Deserialize)] struct W<'a> { #[serde(borrow)] body: &'a serde_json::value::RawValue }
            let w: W = serde_json::from_str(line).unwrap();
            let at = v["received_at"].as_str().unwrap().parse().unwrap();
            for r in events::read_delivery(w.body.get().as_bytes(), at, config.rules.zone).unwrap() { if seen.insert(r.event_id.to_string()) { rows.push(r); } }
        }
    }
    if !rows.is_empty() { table.append(vec![events::to_batch(&rows)], None).await?; }
    Ok(())
}
