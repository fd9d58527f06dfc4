//! Where a service runs: a log and a lake on some disk, and the process between them, with the faults it is given.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::record::CHATS;
use crate::support::{TOKEN, wait};

/// Many kills leave many logs.
const DRAIN_PATIENCE: Duration = Duration::from_secs(300);

/// The binary under test: the one built along, or another.
fn binary() -> String {
    let other = std::env::var("FAULT_BINARY").ok();
    other
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_huggy-etl").to_owned())
}

/// A log and a lake.
pub struct Host {
    folder: TempDir,
    pub wal: PathBuf,
    pub lake: PathBuf,
    pub flush_interval: &'static str,
    starts: AtomicUsize,
}

impl Host {
    pub fn new() -> Host {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Host {
            wal: folder.path().join("wal"),
            lake: folder.path().join("lake"),
            folder,
            flush_interval: "50ms",
            starts: AtomicUsize::new(0),
        }
    }

    /// One more host on the lake of this one.
    pub fn beside(&self) -> Host {
        Host {
            lake: self.lake.clone(),
            ..Host::new()
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The service, to be started by `wrapper`, with settings by the environment: they may be set anew.
    pub fn command(&self, wrapper: &[&str]) -> Command {
        let binary = binary();
        let words = [wrapper, &[&binary, "serve"]].concat();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HUGGY_ETL_LISTEN", "127.0.0.1:0")
            .env("HUGGY_ETL_ADMIN_LISTEN", "127.0.0.1:0")
            .env("HUGGY_ETL_TOKENS", TOKEN)
            .env("HUGGY_ETL_WAL", &self.wal)
            .env("HUGGY_ETL_LAKE", &self.lake)
            .env("HUGGY_ETL_FLUSH_INTERVAL", self.flush_interval)
            .env("HUGGY_ETL_TRANSFORM_EVERY", "0")
            .env("HUGGY_ETL_MAINTAIN_EVERY", "0")
            .env("HUGGY_ETL_LOG_FORMAT", "json");
        command
    }

    /// Starts the command, which may not live to become ready.
    pub fn launch(&self, mut command: Command) -> Process {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = self.path(&format!("serve-{number}.log"));
        let child = command
            .stdin(Stdio::null())
            .stderr(File::create(&log).expect("a log file"))
            .spawn()
            .unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
        Process { child, log }
    }

    pub fn start_with(&self, command: Command) -> Process {
        let mut process = self.launch(command);
        process.wait_ready();
        process
    }

    pub fn start(&self) -> Process {
        self.start_with(self.command(&[]))
    }

    /// A start without faults and a stop in good order, after which nothing is left in the log; its messages.
    pub fn drain(&self) -> String {
        let service = self.start();
        let give_up = Instant::now() + DRAIN_PATIENCE;
        // The last one is its own.
        while self.logs().len() > 1 {
            assert!(Instant::now() < give_up, "{}", service.log());
            thread::sleep(Duration::from_millis(50));
        }
        service.stop_drained(self)
    }

    /// The ids of the logs that wait to be stored.
    pub fn logs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.wal).expect("the folder of the log");
        entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.is_dir() && !path.ends_with("damaged"))
            .collect()
    }

    /// What the lake has of deliveries of which records are kept: the payload of every row.
    pub fn stored(&self) -> Vec<String> {
        let payload = |mut row: Value| match row["payload"].take() {
            Value::String(payload) => payload,
            other => panic!("{other} is no payload"),
        };
        let sql = format!("SELECT payload FROM events WHERE chat_id < {CHATS}");
        let rows = self.query(&sql);
        rows.into_iter().map(payload).collect()
    }

    /// The rows of a query.
    pub fn query(&self, sql: &str) -> Vec<Value> {
        let output = self.run(&["query", "-c", sql, "--format", "ndjson"]);
        let row = |line: Result<String, _>| serde_json::from_str(&line.expect("text"));
        output
            .lines()
            .map(row)
            .map(|row| row.expect("a row"))
            .collect()
    }

    /// Another command on the lake.
    pub fn other(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HUGGY_ETL_LAKE", &self.lake);
        command
    }

    /// What another command prints, which must succeed.
    pub fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.other(arguments).output().expect("running the binary");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        output.stdout
    }
}

/// A running service; killed when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// The URL of the webhook and of the admin routes, once it said them.
    pub fn addresses(&self) -> Option<(String, String)> {
        let lines = BufReader::new(File::open(&self.log).expect("the service's log")).lines();
        let entries = lines
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str(&line).ok());
        let ready = { entries }.find(|entry: &Value| entry["address"].is_string())?;
        let url = |key: &str| format!("http://{}", ready[key].as_str().unwrap_or_default());
        Some((url("address") + "/webhook", url("admin_address")))
    }

    pub fn wait_ready(&mut self) {
        wait("the service to be ready", || {
            if let Some(status) = self.ended() {
                panic!("the service ended with {status}: {}", self.log());
            }
            self.addresses().is_some()
        });
    }

    pub fn webhook(&self) -> String {
        self.addresses().expect("a service that is ready").0
    }

    pub fn metrics(&self) -> String {
        let admin = self.addresses().expect("a service that is ready").1;
        let answer = ureq::get(format!("{admin}/metrics")).call();
        let mut answer = answer.expect("the admin address answers");
        answer.body_mut().read_to_string().expect("text")
    }

    pub fn metric(&self, name: &str) -> u64 {
        let metrics = self.metrics();
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("no metric {name} in {metrics}")) as u64
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.pid().to_string()])
            .status();
        assert!(sent.expect("sending a signal").success());
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .expect("asking for the service's state")
    }

    /// Waits for it to end by itself.
    pub fn wait_end(&mut self) -> ExitStatus {
        wait("the service to end", || self.ended().is_some());
        self.ended().expect("it ended")
    }

    /// Waits for it to end where it is armed to.
    pub fn wait_abort(mut self) {
        let status = self.wait_end();
        assert_eq!(status.signal(), Some(6), "{status}: {}", self.log());
    }

    /// SIGKILL: no destructor, no flush.
    pub fn kill(mut self) {
        self.child.kill().expect("killing the service");
        self.child.wait().expect("the service ends");
    }

    /// SIGTERM, and an end in good order; its messages. What the lake did not take in time stays in the log.
    pub fn stop(mut self) -> String {
        self.signal("-TERM");
        let status = self.wait_end();
        assert_eq!(status.code(), Some(0), "{}", self.log());
        self.log()
    }

    /// SIGTERM, after which all it accepted is in the lake and its logs are gone; its messages.
    pub fn stop_drained(self, host: &Host) -> String {
        let log = self.stop();
        assert_eq!(host.logs(), [] as [&Path; 0], "{log}");
        log
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
