//! Object stores as processes of a test: started on free ports, ended with it. SeaweedFS can also be
//! paused, killed and started again on what it had stored.

use std::env;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Desk, wait};

/// The container or bucket; each server has but one.
const BUCKET: &str = "lake";

/// How a lake is reached: its URL, and the environment that leads there.
pub type Reach = (String, Vec<(String, String)>);

/// A process that ends when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Seaweed {
    process: Option<Process>,
    ports: Vec<u16>,
    folder: TempDir,
}

const SEAWEED_PORTS: [&str; 10] = [
    "-s3.port",
    "-s3.port.grpc",
    "-filer.port",
    "-filer.port.grpc",
    "-master.port",
    "-master.port.grpc",
    "-volume.port",
    "-volume.port.grpc",
    "-admin.port",
    "-admin.port.grpc",
];
const USER: &str = "tester";
const PASSWORD: &str = "known-to-everybody";

impl Seaweed {
    pub fn start() -> Seaweed {
        let mut server = Seaweed::planned();
        server.start_again();
        server
    }

    /// Nothing runs yet; the ports are known.
    pub fn planned() -> Seaweed {
        Seaweed {
            process: None,
            ports: free_ports(SEAWEED_PORTS.len()),
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// On what it had stored before.
    pub fn start_again(&mut self) {
        self.process = Some(Self::run(self.folder.path(), &self.ports));
        self.wait();
    }

    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("a running server");
        let sent = Command::new("kill")
            .args([signal, &process.0.id().to_string()])
            .status()
            .expect("sending a signal");
        assert!(sent.success(), "sending {signal} failed");
    }

    fn run(folder: &Path, ports: &[u16]) -> Process {
        let mut command = Command::new(installed("bin/weed"));
        command
            .args(["mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .args([
                "-webdav=false",
                "-admin.ui=false",
                "-master.telemetry=false",
            ])
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0"])
            .arg(format!("-bucket={BUCKET}"))
            .arg(format!("-dir={}", folder.display()));
        for (option, port) in SEAWEED_PORTS.iter().zip(ports) {
            command.arg(format!("{option}={port}"));
        }
        command
            .env("AWS_ACCESS_KEY_ID", USER)
            .env("AWS_SECRET_ACCESS_KEY", PASSWORD);
        start(command, folder)
    }

    fn wait(&self) {
        let bucket = format!("http://127.0.0.1:{}/buckets/{BUCKET}/", self.ports[2]);
        wait(
            "SeaweedFS to have its bucket",
            || matches!(ureq::get(&bucket).call(), Ok(answer) if answer.status() == 200),
        );
    }

    /// What the store itself has below a folder of the bucket: the bytes of each object.
    pub fn objects(&self, folder: &str) -> Vec<Vec<u8>> {
        let found = self.below(&format!("/buckets/{BUCKET}/{folder}"));
        found.iter().map(|path| self.get(path)).collect()
    }

    fn below(&self, folder: &str) -> Vec<String> {
        const FOLDER: u64 = 1 << 31;
        let listing = self.get(&format!("{folder}/?limit=10000"));
        let listing: Value = serde_json::from_slice(&listing).expect("a listing");
        let entries = listing["Entries"].as_array().expect("entries");
        let path = |entry: &Value| entry["FullPath"].as_str().expect("a path").to_owned();
        let is_folder =
            |entry: &Value| entry["Mode"].as_u64().is_some_and(|mode| mode & FOLDER > 0);
        let below = |entry: &Value| match is_folder(entry) {
            true => self.below(&path(entry)),
            false => vec![path(entry)],
        };
        entries.iter().flat_map(below).collect()
    }

    fn get(&self, path: &str) -> Vec<u8> {
        let url = format!("http://127.0.0.1:{}{path}", self.ports[2]);
        let answer = ureq::get(&url).header("Accept", "application/json").call();
        let mut answer = answer.expect("the store answers");
        answer.body_mut().read_to_vec().expect("bytes")
    }

    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    pub fn reach(&self) -> Reach {
        self.reach_through(self.port())
    }

    /// As [`reach`](Self::reach), by way of another port.
    pub fn reach_through(&self, port: u16) -> Reach {
        let environment = [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", USER.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", PASSWORD.to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value));
        (format!("s3://{BUCKET}/huggy"), environment.into())
    }
}

pub struct Azurite {
    _process: Process,
    port: u16,
    _folder: TempDir,
}

const ACCOUNT: &str = "huggy";
/// "known-to-everybody" in base64.
const KEY: &str = "a25vd24tdG8tZXZlcnlib2R5";

impl Azurite {
    pub fn start() -> Azurite {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_ports(1)[0];
        let mut command = Command::new(installed("node_modules/.bin/azurite-blob"));
        command
            .args(["--blobHost", "127.0.0.1", "--skipApiVersionCheck"])
            .args(["--disableTelemetry", "--silent"])
            .args(["--blobPort", &port.to_string(), "--location"])
            .arg(folder.path())
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY}"));
        let process = start(command, folder.path());
        let server = Azurite {
            _process: process,
            port,
            _folder: folder,
        };
        wait("Azurite to make a container", || server.make_container());
        server
    }

    /// Making one takes a signed request, which Node signs in a few lines.
    fn make_container(&self) -> bool {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/storage/container.js"
        );
        let made = Command::new("node")
            .args([script, &self.endpoint(), ACCOUNT, KEY, BUCKET])
            .output()
            .expect("running node");
        made.status.success()
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn reach(&self) -> Reach {
        let environment = [
            ("AZURE_STORAGE_USE_EMULATOR", "true".to_owned()),
            ("AZURITE_BLOB_STORAGE_URL", self.endpoint()),
            ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT.to_owned()),
            ("AZURE_STORAGE_ACCOUNT_KEY", KEY.to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value));
        (format!("az://{BUCKET}/huggy"), environment.into())
    }
}

/// A desk with its lake there.
pub fn desk((lake, environment): &Reach) -> Desk {
    Desk::on(lake, environment)
}

fn start(mut command: Command, folder: &Path) -> Process {
    let log = File::create(folder.join("server.log")).expect("a log file");
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log file"))
        .stderr(log);
    Process(command.spawn().expect("starting an object store"))
}

/// Where `make test-storage` has put it.
fn installed(program: &str) -> PathBuf {
    let folder = env::var_os("HUGGY_ETL_STORES").expect("run these tests by `make test-storage`");
    fs::canonicalize(Path::new(&folder).join(program)).expect("an installed object store")
}

/// Free a moment ago, which is the best that can be had for a server that takes no port 0.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"))
        .collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
    listeners.iter().map(port).collect()
}
