//! Running the binary: commands with their output, and the service with its addresses.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;

pub const TOKEN: &str = "5e8b9943da099dbd05c53c48662c31ab";
/// A service that accepts, and leaves what came in its log.
pub const KEPT_IN_THE_LOG: [&str; 6] = [
    "--token",
    TOKEN,
    "--flush-interval",
    "1h",
    "--transform-every",
    "0",
];
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the machine has a program that a test needs and the product does not. CI has them all, so that
/// there nothing is passed over.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    assert!(
        found || std::env::var_os("CI").is_none(),
        "CI needs {program}"
    );
    if !found {
        eprintln!("passed over: there is no {program} on this machine");
    }
    found
}

/// A folder with a lake of its own, in it or elsewhere.
pub struct Desk {
    folder: TempDir,
    lake: Option<String>,
    environment: Vec<(String, String)>,
}

/// What a command printed.
pub struct Printed {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Desk {
    pub fn new() -> Desk {
        Desk {
            folder: tempfile::tempdir().expect("a temporary folder"),
            lake: None,
            environment: Vec::new(),
        }
    }

    /// With the lake at that URL, which is reached by that environment.
    pub fn on(lake: &str, environment: &[(String, String)]) -> Desk {
        Desk {
            lake: Some(lake.to_owned()),
            environment: environment.to_vec(),
            ..Desk::new()
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), text).expect("writing a file of the test");
        self.path(name)
    }

    /// The command with the desk's lake, run in the desk's folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_huggy-etl"));
        let lake = self.lake.as_ref().map(PathBuf::from);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.environment.iter().cloned())
            .arg("--lake")
            .arg(lake.unwrap_or_else(|| self.path("lake")))
            .args(args);
        command
    }

    pub fn run(&self, args: &[&str]) -> Printed {
        Printed::from(self.command(args).output().expect("running the binary"))
    }

    /// The command with another lake than the desk's.
    pub fn run_on(&self, lake: &str, args: &[&str]) -> Printed {
        let mut command = Command::new(env!("CARGO_BIN_EXE_huggy-etl"));
        command.current_dir(self.folder.path()).env_clear();
        let output = command.args(["--lake", lake]).args(args).output();
        Printed::from(output.expect("running the binary"))
    }

    /// What is in the desk's folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the desk's folder");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// The size of the largest file in the desk's folder.
    pub fn largest_file(&self) -> u64 {
        let sizes = self.names().into_iter();
        let sizes = sizes.filter_map(|name| fs::metadata(self.path(&name)).ok());
        sizes.map(|file| file.len()).max().unwrap_or_default()
    }

    /// Runs the command, which must succeed, and gives its stdout.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let printed = self.run(args);
        assert_eq!(printed.code, Some(0), "{args:?}: {}", printed.stderr);
        printed.stdout
    }

    /// The rows of a query, each as its values in order.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Value {
        self.rows_with(&[], sql)
    }

    /// As [`rows`](Self::rows), with arguments before the command.
    #[track_caller]
    pub fn rows_with(&self, global: &[&str], sql: &str) -> Value {
        let json = self.ok(&[global, &["query", "-c", sql, "--format", "ndjson"]].concat());
        json.lines().map(values).collect()
    }

    /// A query of one row and one column.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        self.rows(sql)[0][0]
            .as_i64()
            .unwrap_or_else(|| panic!("{sql} gives no number"))
    }

    pub fn generate(&self, name: &str, args: &[&str]) -> PathBuf {
        let path = self.path(name);
        let file = File::create(&path).expect("a file of the test");
        let mut generate = self.command(&[&["generate"], args].concat());
        let status = generate.stdout(file).status().expect("running the binary");
        assert!(status.success(), "{args:?}");
        path
    }

    /// Starts the service on free ports.
    pub fn serve(&self, args: &[&str]) -> Service {
        self.serve_in(&[], &[&["--log-format", "json"], args].concat())
    }

    /// As [`serve`](Self::serve), with variables of its environment and the log's format left open.
    pub fn serve_in(&self, environment: &[(&str, &str)], args: &[&str]) -> Service {
        let number = (1..)
            .find(|number| !self.path(&format!("serve-{number}.log")).exists())
            .unwrap_or(1);
        let log = self.path(&format!("serve-{number}.log"));
        let common = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ];
        let mut command = self.command(&common);
        command
            .args(args)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stderr(File::create(&log).expect("a log file"));
        Service::start(command.spawn().expect("starting the service"), log)
    }
}

impl From<Output> for Printed {
    fn from(output: Output) -> Self {
        Printed {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }
}

/// The values of a JSON object in the order they are written, which a parsed map would forget.
fn values(line: &str) -> Value {
    let mut keys = serde_json::Deserializer::from_str(line);
    serde::de::Deserializer::deserialize_map(&mut keys, InOrder).expect("an object a line")
}

struct InOrder;

impl<'de> serde::de::Visitor<'de> for InOrder {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some((_, value)) = map.next_entry::<String, Value>()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
}

/// A running service; killed when dropped.
pub struct Service {
    child: Child,
    log: PathBuf,
    pub webhook: String,
    pub admin: String,
}

impl Service {
    fn start(child: Child, log: PathBuf) -> Service {
        let mut service = Service {
            child,
            log,
            webhook: String::new(),
            admin: String::new(),
        };
        wait("the service to say its addresses", || {
            if let Some(status) = service
                .child
                .try_wait()
                .expect("asking for the service's state")
            {
                panic!("the service ended with {status}: {}", service.log());
            }
            let ready = service.addresses();
            if let Some((webhook, admin)) = &ready {
                service.webhook = format!("http://{webhook}/webhook");
                service.admin = format!("http://{admin}");
            }
            ready.is_some()
        });
        service
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What it says of its addresses, in either format of the log.
    fn addresses(&self) -> Option<(String, String)> {
        let log = self.log();
        log.split_inclusive('\n').find_map(|line| {
            let line = line.strip_suffix('\n')?;
            if let Ok(entry) = serde_json::from_str::<Value>(line) {
                let text = |key: &str| Some(entry[key].as_str()?.to_owned());
                return Some((text("address")?, text("admin_address")?));
            }
            let text = |key: &str| {
                let (_, rest) = line.split_once(key)?;
                Some(rest.split(' ').next().unwrap_or_default().to_owned())
            };
            Some((text(" address=")?, text("admin_address=")?))
        })
    }

    /// The webhook's host and port.
    pub fn address(&self) -> &str {
        self.webhook
            .trim_start_matches("http://")
            .trim_end_matches("/webhook")
    }

    /// Status and body of a POST to the webhook.
    pub fn post(&self, body: impl AsRef<[u8]>) -> (u16, String) {
        post(&self.webhook, body.as_ref()).expect("the service answers")
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let agent = agent();
        let mut response = agent
            .get(format!("{}{path}", self.admin))
            .call()
            .expect("the admin address answers");
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().expect("text"),
        )
    }

    /// The most memory the process has held, in bytes.
    pub fn peak_memory(&self) -> u64 {
        memory_bytes(self.child.id(), "VmHWM")
    }

    /// SIGTERM, and the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().expect("the service ends").code()
    }

    /// SIGKILL: no destructor, no flush.
    pub fn kill(mut self) {
        self.child.kill().expect("killing the service");
        self.child.wait().expect("the service ends");
    }

    fn signal(&self, signal: &str) {
        Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .expect("sending a signal");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

pub fn post(url: &str, body: &[u8]) -> Result<(u16, String), ureq::Error> {
    let mut response = agent()
        .post(url)
        .header("Content-Type", "application/json; charset=UTF-8")
        .send(body)?;
    let status = response.status().as_u16();
    Ok((status, response.body_mut().read_to_string()?))
}

/// The whole answer, head and body, to bytes that need not be HTTP; `goes_away` once they are sent.
pub fn exchange(address: &str, request: &[u8], goes_away: bool) -> String {
    let mut stream = TcpStream::connect(address).expect("connecting");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    // The service may refuse, and close, before it has everything.
    let _ = stream.write_all(request);
    if goes_away {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A delivery of one message.
pub fn delivery(chat: u64, message: u64) -> String {
    let body = json!({
        "time": 1_709_298_000 + message,
        "messages": { "receivedMessage": [{
            "id": message, "body": "Olá", "is_internal": false, "senderType": "widget",
            "chat": { "id": chat, "channel": "widget", "situation": "wait_for_chat", "department": false },
            "send_at": "2024-03-01 10:00:00", "company": { "id": "3526" }
        }]},
        "token": TOKEN,
    });
    body.to_string()
}

/// How a POST was answered.
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
}

pub fn post_for_answer(url: &str, body: &str) -> Answer {
    let answer = agent().post(url).send(body).expect("the service answers");
    let retry_after = answer.headers().get("retry-after");
    Answer {
        status: answer.status().as_u16(),
        retry_after: retry_after.and_then(|value| Some(value.to_str().ok()?.to_owned())),
    }
}

/// A number from the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty());
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

/// The bodies of generated deliveries, as the platform posts them, left as they are: an event's id goes by its bytes.
pub fn bodies(lines: &str) -> Vec<String> {
    let body = |line: &str| {
        let mut delivery: HashMap<String, Box<RawValue>> =
            serde_json::from_str(line).expect("a delivery a line");
        let body = delivery.remove("body").expect("a body");
        body.get().to_owned()
    };
    lines.lines().map(body).collect()
}

/// What the system says of a process's memory: `VmRSS`, what it holds, or `VmHWM`, the most it has held.
pub fn memory_bytes(pid: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process's status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a size") << 10
}

/// Waits until it is so; fails the test if it does not become so.
#[track_caller]
pub fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < give_up, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
