//! `huggy-etl doctor`: what is wrong with what is delivered, in words.

use std::io::Write;

use ::transform::doctor::{Severity, examine};
use anyhow::anyhow;
use chrono::Utc;

use crate::args::Doctor;
use crate::config::Config;
use crate::exit::Failure;

pub async fn run(args: &Doctor, config: &Config) -> Result<(), Failure> {
    let lake = config.existing_lake().await?;
    let diagnosis = examine(&lake, &config.rules, args.days, Utc::now())
        .await
        .map_err(super::transform::failure)?;
    tell!(
        "looked at {} events, of the {} days up to the latest one",
        diagnosis.events,
        args.days
    );
    let mut out = std::io::stdout().lock();
    for finding in &diagnosis.findings {
        let severity = match finding.severity {
            Severity::Problem => "PROBLEM",
            Severity::Note => "note",
        };
        writeln!(out, "{severity:<8} {}", finding.what)?;
        writeln!(out, "         Effect: {}", finding.effect)?;
        writeln!(out, "         To do: {}", finding.advice)?;
    }
    let of = |severity| {
        let findings = diagnosis.findings.iter();
        findings
            .filter(|finding| finding.severity == severity)
            .count()
    };
    match of(Severity::Problem) {
        0 => {
            tell!("no problems, {} notes", of(Severity::Note));
            Ok(())
        }
        problems => Err(Failure::Work(anyhow!("{problems} problems, see above"))),
    }
}
