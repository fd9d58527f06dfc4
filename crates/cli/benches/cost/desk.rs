//! A lake of its own in a folder, worked on by the binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::process::{BINARY, Cost, run};

/// What a rebuild may use, where the system lets us say so.
const CAP_BYTES: u64 = 2 << 30;
/// Control groups of the capped run and their limits, of versions 1 and 2: whichever is writable.
const GROUPS: [(&str, &str); 2] = [
    (
        "/sys/fs/cgroup/memory/huggy-etl-bench",
        "memory.limit_in_bytes",
    ),
    ("/sys/fs/cgroup/huggy-etl-bench", "memory.max"),
];
/// Where version 2 is told to give the controller to groups below; not there with version 1.
const GIVEN: &str = "/sys/fs/cgroup/cgroup.subtree_control";

pub struct Desk {
    pub folder: PathBuf,
}

pub struct TableSize {
    pub name: String,
    pub files: u64,
    pub bytes: u64,
}

impl Desk {
    pub fn new(folder: PathBuf) -> Result<Desk> {
        fs::create_dir_all(&folder)?;
        Ok(Desk { folder })
    }

    pub fn etl(&self, args: &[&str]) -> Command {
        self.prepared(Command::new(BINARY), args)
    }

    fn prepared(&self, mut command: Command, args: &[&str]) -> Command {
        command
            .current_dir(&self.folder)
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Imports made-up traffic without keeping it.
    pub fn fill(&self, chats: u64, days: u64) -> Result<()> {
        let (chats, days) = (chats.to_string(), days.to_string());
        let mut traffic = self
            .etl(&["generate", "--chats", &chats, "--days", &days])
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = traffic.stdout.take().ok_or("the traffic has no stdout")?;
        let imported = run(self.etl(&["import", "-"]).stdin(lines))?;
        traffic.wait()?;
        println!(
            "a lake of {} events, {chats} chats over {days} days (imported in {:.0} s)",
            self.number("SELECT count(*) FROM events")?,
            imported.time.as_secs_f64()
        );
        Ok(())
    }

    /// Derives every fact, within the cap, and prints what it took.
    pub fn rebuild(&self) -> Result<()> {
        let (capped, cost) = self.transform_capped()?;
        let events = self.number("SELECT count(*) FROM events")?;
        println!(
            "  full rebuild: {:.0} events/s, {:.0} s, peak memory {:.0} MB, {}",
            events as f64 / cost.time.as_secs_f64(),
            cost.time.as_secs_f64(),
            cost.peak_bytes as f64 / 1e6,
            if capped {
                "capped at 2 GiB by a control group"
            } else {
                "not capped: no writable control group"
            }
        );
        Ok(())
    }

    fn transform_capped(&self) -> Result<(bool, Cost)> {
        let Some(group) = capped_group() else {
            return Ok((false, run(&mut self.etl(&["transform"]))?));
        };
        let script = format!("echo $$ > {group}/cgroup.procs && exec \"$@\"");
        let args = ["-c", &script, "sh", BINARY, "transform"];
        let cost = run(&mut self.prepared(Command::new("sh"), &args));
        // Nothing runs in it any more; a group that stays is no harm.
        let _ = fs::remove_dir(group);
        Ok((true, cost?))
    }

    /// The tables, as the command of that name prints them.
    pub fn tables(&self) -> Result<Vec<TableSize>> {
        let output = self.etl(&["tables"]).stdout(Stdio::piped()).output()?;
        let text = String::from_utf8(output.stdout)?;
        let size = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            Some(TableSize {
                name: (*words.first()?).to_owned(),
                files: words.get(2)?.parse().ok()?,
                bytes: words.get(3)?.parse().ok()?,
            })
        };
        Ok(text.lines().filter_map(size).collect())
    }

    /// The answer of a query of one number.
    pub fn number(&self, sql: &str) -> Result<u64> {
        self.column(sql)?
            .first()
            .copied()
            .ok_or_else(|| format!("{sql} gives no row").into())
    }

    /// The answer of a query of one column of numbers.
    pub fn column(&self, sql: &str) -> Result<Vec<u64>> {
        let output = self
            .etl(&["query", "-c", sql, "--format", "csv"])
            .stdout(Stdio::piped())
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        Ok(text
            .lines()
            .skip(1)
            .map(str::parse)
            .collect::<std::result::Result<_, _>>()?)
    }
}

fn capped_group() -> Option<&'static str> {
    if Path::new(GIVEN).exists() {
        let _ = fs::write(GIVEN, "+memory");
    }
    let cap = |(group, limit): (&'static str, &str)| {
        // One that an earlier run has left will do.
        let _ = fs::create_dir(group);
        let limited = fs::write(format!("{group}/{limit}"), CAP_BYTES.to_string());
        limited.ok().map(|()| group)
    };
    GROUPS.into_iter().find_map(cap)
}
