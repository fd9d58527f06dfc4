//! Mistaken statements by the hundred: whatever is wrong with them is told in words, and nothing panics.

mod support;

use query::{Engine, EngineOptions, Format, QueryError};
use support::{Rows, TestLake};

const GOOD: &[&str] = &[
    "SELECT channel, count(*) AS sessions FROM fact_chats WHERE started_date >= '2025-03-10' GROUP BY channel ORDER BY 2 DESC LIMIT 3",
    "SELECT c.chat_id, m.body FROM fact_chats AS c JOIN fact_messages AS m ON m.chat_id = c.chat_id WHERE c.closed_at IS NOT NULL",
    "WITH a AS (SELECT chat_id, started_at, is_open FROM fact_chats) SELECT max(started_at) - min(started_at) AS d FROM a WHERE is_open",
    "SELECT CASE WHEN wait > 10.5 THEN 'long' ELSE 'short' END AS kind, avg(wait) FROM fact_chats GROUP BY 1 HAVING count(*) > 1",
    "SELECT payload ->> 'type' AS t, json_get_int(payload, 'chat', 'id') AS id FROM fact_messages WHERE payload ->> 'type' = 'x'",
    "SELECT row_number() OVER (PARTITION BY channel ORDER BY started_at DESC) AS n FROM fact_chats WHERE channel IN ('email', 'widget')",
    "SELECT date_trunc('week', started_date) AS week, percentile_cont(0.9) WITHIN GROUP (ORDER BY wait) AS p FROM fact_chats GROUP BY 1",
    "SELECT upper(channel) || '-' || chat_id AS k, length(channel) + 1 FROM fact_chats WHERE chat_id BETWEEN 1 AND 10 / 2",
    "SELECT local_time(started_at) AS t FROM fact_chats WHERE started_at >= TIMESTAMP '2025-03-10 10:00:00' AND NOT is_open",
    "SELECT chat_id FROM fact_chats WHERE chat_id NOT IN (SELECT chat_id FROM fact_messages WHERE sent_at < now()) UNION ALL SELECT 1",
];

/// What may stand for a token: names, values of all types, keywords, signs.
const OTHERS: &[&str] = &[
    "chanel",
    "chat_id",
    "channel",
    "started_at",
    "started_date",
    "is_open",
    "wait",
    "payload",
    "fact_chat",
    "5",
    "2.5",
    "'abc'",
    "'2025-13-45'",
    "NULL",
    "true",
    "*",
    "(",
    ")",
    ",",
    ".",
    "=",
    "->>",
    "::int",
    "::date",
    "nosuch(1)",
    "max(*)",
    "lag(wait)",
    "sum(channel)",
    "count(DISTINCT)",
    "[1, 2]",
    "{",
    "$x",
    "INTERVAL '1 day'",
    "DATE '2025-03-10'",
    "SEMI",
    "OVER",
    "FILTER (WHERE 1)",
    "\"email\"",
    "EXISTS (SELECT 1)",
    "LATERAL",
    "EXCEPT",
];

/// How Rust shows its own values.
const DEBUG_FORMS: &[&str] = &[
    "Some(",
    "None",
    "Utf8",
    "Int64",
    "Int32",
    "Float64",
    "Date32",
    "Boolean",
    "Timestamp(",
    "Ident",
    "Value",
    "Span",
    "ObjectName",
    "ArrowError",
    "CastError",
    "Function(",
    "Literal",
    "BinaryExpr",
    "Wildcard",
    "Column",
    "qualifier",
    "MonthDayNano",
    "nullable",
    "Decimal128",
    "Struct(",
    "LogicalPlan",
    "Error",
];

/// Numbers from a fixed seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).expect("below a usize")
    }
}

fn mistaken(good: &str, chance: &mut Chance) -> String {
    let mut tokens: Vec<&str> = good.split_inclusive([' ', '(', ',']).collect();
    for _ in 0..=chance.below(2) {
        let place = chance.below(tokens.len());
        match chance.below(8) {
            0 => drop(tokens.remove(place)),
            1 => tokens.insert(place, tokens[place]),
            2 => {
                let other = chance.below(tokens.len());
                tokens.swap(place, other);
            }
            _ => {
                tokens[place] = OTHERS[chance.below(OTHERS.len())];
                tokens.insert(place + 1, " ");
            }
        }
    }
    tokens.concat()
}

async fn lake() -> TestLake {
    let lake = TestLake::new();
    let tables = [
        (
            "fact_chats",
            "chat_id BIGINT, channel TEXT, started_at TIMESTAMP, closed_at TIMESTAMP, started_date DATE, is_open BOOLEAN, wait INT",
        ),
        (
            "fact_messages",
            "chat_id BIGINT, body TEXT, payload TEXT, sent_at TIMESTAMP",
        ),
    ];
    let rows = [
        Rows {
            table: "fact_chats",
            columns: "chat_id, channel, started_at, started_date, is_open, wait",
            values: "(1, 'email', '2025-03-10T10:00:00Z', '2025-03-10', true, 5), (2, 'widget', '2025-03-11T10:00:00Z', '2025-03-11', false, NULL)",
        },
        Rows {
            table: "fact_messages",
            columns: "chat_id, body, payload, sent_at",
            values: "(1, 'olá', '{\"type\": \"x\"}', '2025-03-10T10:00:00Z')",
        },
    ];
    lake.fill(&tables, &rows).await;
    lake
}

/// The message of a mistake, without the words of the statement.
async fn told(engine: &Engine, sql: &str) -> Option<String> {
    match engine.run(sql, Format::Ndjson, &mut Vec::new()).await {
        Ok(_) => None,
        Err(QueryError::Sql(mistake)) => Some(mistake.message),
        Err(error) => Some(error.to_string()),
    }
}

#[tokio::test]
async fn no_mistake_is_told_in_the_words_of_rust() {
    let lake = lake().await;
    let engine = Engine::new(
        lake.lake.clone(),
        EngineOptions::new(64 << 20, chrono_tz::America::Sao_Paulo),
    );
    for good in GOOD {
        assert_eq!(told(&engine, good).await, None, "{good}");
    }
    let mut chance = Chance(20_250_310);
    let (mut mistakes, mut bad) = (0, Vec::new());
    for round in 0..700 {
        let sql = mistaken(GOOD[round % GOOD.len()], &mut chance);
        let Some(message) = told(&engine, &sql).await else {
            continue;
        };
        mistakes += 1;
        let is_bad = |form: &str| message.contains(form) && !sql.contains(form);
        if is_bad("{ ") || DEBUG_FORMS.iter().any(|form| is_bad(form)) {
            bad.push(format!("{sql}\n    {message}"));
        }
    }
    assert!(mistakes > 300, "{mistakes}");
    assert!(
        bad.is_empty(),
        "{} of {mistakes}:\n{}",
        bad.len(),
        bad.join("\n")
    );
}

#[tokio::test]
async fn what_has_no_effect_or_another_is_refused() {
    let lake = lake().await;
    let engine = lake.engine();
    for (sql, expected) in [
        (
            "SELECT 1 FROM fact_chats WHERE started_date = 2025-03-10",
            "DATE and BIGINT cannot be compared; a date stands in quotes",
        ),
        (
            "SELECT 1 FROM fact_chats WHERE 2025 < started_date",
            "BIGINT and DATE cannot be compared",
        ),
        (
            "SELECT 1 FROM fact_chats WHERE started_date BETWEEN 2025-03-10 AND 2025-03-12",
            "DATE and BIGINT cannot be compared",
        ),
        (
            "SELECT 1 FROM fact_chats WHERE started_date IN (20250310)",
            "DATE and BIGINT cannot be compared",
        ),
        (
            "SELECT 1 FROM fact_chats WHERE started_date IN (SELECT chat_id FROM fact_messages)",
            "DATE and BIGINT cannot be compared",
        ),
        (
            "SELECT 1 FROM fact_chats AS c JOIN fact_messages AS m ON c.started_date = m.chat_id",
            "DATE and BIGINT cannot be compared",
        ),
        (
            "SELECT 1 FROM fact_chats WHERE started_at > 2025",
            "TIMESTAMP WITH TIME ZONE and BIGINT cannot be compared; a date stands in quotes",
        ),
        (
            "CREATE TABLE t AS SELECT count(*) FILTER (WHERE started_date > 2025) AS n FROM fact_chats",
            "DATE and BIGINT cannot be compared",
        ),
        (
            "SELECT 1 FROM fact_chats TABLESAMPLE (10 PERCENT)",
            "not supported: a sample of the rows; WHERE random() < 0.1",
        ),
        ("SELECT 1 FROM fact_chats FOR UPDATE", "nothing is locked"),
        (
            "SELECT 1 FROM fact_chats WHERE outcome IS NOT DISTINCT FROM NULL AND true",
            "(a IS NOT DISTINCT FROM b) AND c",
        ),
        (
            "SELECT 1 FROM fact_chats WITH (NOLOCK)",
            "not supported: hints",
        ),
        ("SELECT 1_000", "1_000 is no number; write 1000"),
        ("SELECT 12abc", "12abc is no number; a space stands"),
        (
            "SELECT TOP 3 channel FROM fact_chats",
            "not supported: TOP; LIMIT 3",
        ),
    ] {
        let message = told(&engine, sql).await.unwrap_or_default();
        assert!(message.contains(expected), "{sql}: {message}");
    }
    for sql in [
        "SELECT 1 FROM fact_chats WHERE started_date = '2025-03-10' AND started_date > started_at",
        "SELECT 1 FROM fact_chats WHERE started_date IN ('2025-03-10', NULL) AND started_date - 1 < '2025-03-10'",
        "SELECT 1e3, .5, 1 AS \"_000\", '1_000'",
    ] {
        assert_eq!(told(&engine, sql).await, None, "{sql}");
    }
}

#[tokio::test]
async fn values_of_the_rows_are_told_from_those_of_the_statement() {
    let lake = lake().await;
    let engine = lake.engine();
    for (sql, expected) in [
        (
            "SELECT 1 FROM fact_chats WHERE channel = 5",
            "'email', a value of the rows, is no BIGINT; compare text with text in quotes, or write TRY_CAST(... AS BIGINT), which is NULL for such values",
        ),
        (
            "SELECT 1 FROM fact_chats WHERE chat_id = 'abc'",
            "'abc' is no BIGINT; write a whole number",
        ),
        (
            "SELECT 1 FROM fact_chats WHERE 10 / (chat_id - 1) > 0",
            "division by zero; x / NULLIF(y, 0) is NULL where y is 0, and not an error",
        ),
    ] {
        assert_eq!(told(&engine, sql).await.as_deref(), Some(expected), "{sql}");
    }
}
