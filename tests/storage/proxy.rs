//! A proxy before an object store that fails as networks and servers do, by chance from a seed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Commits are what matters most, and rare.
const COMMITS_PERCENT: u64 = 50;

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The connection is cut before the store hears of it.
    Cut,
    /// The store never hears of it, and the client hears nothing.
    Hang,
    /// The store never hears of it, and the client is told this status.
    Status(u16),
    /// The store does it, then the connection is cut instead of an answer.
    LoseAnswer,
    /// The store does it, and the client hears nothing.
    WithholdAnswer,
    /// The store does it, and the client is told this status.
    WrongAnswer(u16),
}

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    store: u16,
    plan: Mutex<Option<Plan>>,
    requests: AtomicU64,
    faults: AtomicU64,
    /// Faults that met a conditional PUT into a table's log.
    commits: AtomicU64,
}

struct Plan {
    fault: Fault,
    percent: u64,
    random: u64,
}

impl Proxy {
    /// Passes everything on to the store at that port, until told otherwise.
    pub fn before(store: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            store,
            plan: Mutex::new(None),
            requests: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            commits: AtomicU64::new(0),
        });
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&of_thread);
                // What fails here, fails for the client, which is what it is for.
                thread::spawn(move || drop(shared.pass(&stream)));
            }
        });
        Proxy { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, so many of a hundred requests meet the fault, and half of the commits.
    pub fn fail(&self, fault: Fault, percent: u64, seed: u64) {
        let random = seed;
        *self.shared.plan() = Some(Plan {
            fault,
            percent,
            random,
        });
    }

    pub fn mend(&self) {
        *self.shared.plan() = None;
    }

    pub fn failed_commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    pub fn summary(&self) -> String {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        format!(
            "{} of {} requests failed, {} of them commits",
            count(&self.shared.faults),
            count(&self.shared.requests),
            count(&self.shared.commits)
        )
    }
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Option<Plan>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request a connection, which saves looking for the end of answers.
    fn pass(&self, mut client: &TcpStream) -> io::Result<()> {
        let request = read_request(client)?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let fault = self.draw(&request.head);
        match fault {
            None => client.write_all(&self.ask(&request)?),
            Some(Fault::Cut) => Ok(()),
            Some(Fault::Hang) => until_gone(client),
            Some(Fault::Status(status)) => tell(client, status),
            Some(Fault::LoseAnswer) => self.ask(&request).map(drop),
            Some(Fault::WithholdAnswer) => {
                self.ask(&request)?;
                until_gone(client)
            }
            Some(Fault::WrongAnswer(status)) => {
                self.ask(&request)?;
                tell(client, status)
            }
        }
    }

    fn draw(&self, head: &str) -> Option<Fault> {
        let mut plan = self.plan();
        let plan = plan.as_mut()?;
        plan.random = plan
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let is_commit = head.starts_with("PUT ")
            && head.contains("/_delta_log/")
            && head.to_ascii_lowercase().contains("if-none-match");
        let percent = if is_commit {
            COMMITS_PERCENT
        } else {
            plan.percent
        };
        if (plan.random >> 33) % 100 >= percent {
            return None;
        }
        self.faults.fetch_add(1, Ordering::Relaxed);
        self.commits.fetch_add(is_commit.into(), Ordering::Relaxed);
        Some(plan.fault)
    }

    /// The store's answer, as it comes.
    fn ask(&self, request: &Request) -> io::Result<Vec<u8>> {
        let mut store = TcpStream::connect(("127.0.0.1", self.store))?;
        let (line, headers) = request.head.split_once("\r\n").unwrap_or_default();
        write!(store, "{line}\r\nconnection: close\r\n{headers}")?;
        store.write_all(&request.body)?;
        let mut answer = Vec::new();
        store.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

struct Request {
    /// Up to and with the empty line.
    head: String,
    body: Vec<u8>,
}

fn read_request(client: &TcpStream) -> io::Result<Request> {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Request { head, body })
}

fn tell(mut client: &TcpStream, status: u16) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status} Out of order");
    write!(
        client,
        "{head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    )
}

fn until_gone(mut client: &TcpStream) -> io::Result<()> {
    client.read(&mut [0]).map(drop)
}
