//! Clients that are slow, idle, endless or mad: none of them keeps the others from being served.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::Ending;
use crate::support::{Desk, Service, TOKEN, delivery, exchange, post_for_answer, wait};

const IDLE: u64 = 10_000;
const PIPELINED: u64 = 200;
/// Generous: the machine may be busy with other tests.
const LONGEST_ANSWER: Duration = Duration::from_secs(3);
const MOST_MEMORY: u64 = 512 << 20;

fn start(desk: &Desk) -> Service {
    desk.serve(&["--token", TOKEN, "--transform-every", "0"])
}

/// Posts as the platform does, each time by a new connection, while `others` go on; gives how many were accepted, and
/// the longest wait.
fn served_meanwhile(service: &Service, others: impl FnOnce()) -> (u64, Duration) {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let posting = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            let mut message = 0;
            while !ended.load(Ordering::Relaxed) || message < 50 {
                message += 1;
                let began = Instant::now();
                let answer = post_for_answer(&service.webhook, &delivery(1, message));
                assert_eq!(answer.status, 200, "of the well-behaved client");
                longest = longest.max(began.elapsed());
            }
            (message, longest)
        });
        {
            let _ending = Ending(&ended);
            others();
        }
        posting.join().expect("the well-behaved client")
    })
}

fn connect(service: &Service) -> TcpStream {
    let address = service.webhook.trim_start_matches("http://");
    let address = address.trim_end_matches("/webhook");
    TcpStream::connect(address).expect("a connection")
}

fn head(headers: &str) -> String {
    format!("POST /webhook HTTP/1.1\r\nhost: x\r\n{headers}\r\n")
}

#[test]
fn ten_thousand_idle_connections_keep_nobody_out() {
    let handles = rlimit::increase_nofile_limit(u64::MAX).expect("a limit of file handles");
    // As many as the test itself may hold.
    let count = IDLE.min(handles.saturating_sub(512));
    assert!(
        count == IDLE || std::env::var_os("CI").is_none(),
        "CI needs {IDLE} file handles and has {handles}"
    );
    let desk = Desk::new();
    let service = start(&desk);
    let (_, longest) = served_meanwhile(&service, || {
        let idle: Vec<TcpStream> = (0..count).map(|_| connect(&service)).collect();
        thread::sleep(Duration::from_secs(1));
        drop(idle);
    });
    let peak = service.peak_memory();
    println!(
        "{count} idle connections: the longest answer took {longest:?}, peak memory {} MiB",
        peak >> 20
    );
    assert!(longest < LONGEST_ANSWER, "{longest:?}");
    assert!(peak < MOST_MEMORY, "{} MiB", peak >> 20);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn slow_endless_and_mad_clients_are_cut_off_and_the_others_served() {
    let desk = Desk::new();
    desk.write(
        "huggy-etl.toml",
        "header_timeout = \"2s\"\nbody_timeout = \"2s\"\nmax_body_bytes = \"64KiB\"\n",
    );
    let service = start(&desk);
    let (accepted, longest) = served_meanwhile(&service, || {
        let mut headers: Vec<_> = (0..200).map(|_| connect(&service)).collect();
        let mut bodies: Vec<_> = (0..200).map(|_| connect(&service)).collect();
        for body in &mut bodies {
            let announced = head("content-length: 1000\r\n");
            body.write_all(announced.as_bytes()).expect("headers");
        }
        for _ in 0..30 {
            for header in &mut headers {
                let _ = header.write(b"x");
            }
            for body in &mut bodies {
                let _ = body.write(b" ");
            }
            thread::sleep(Duration::from_millis(50));
        }
        for slow in headers.iter_mut().chain(&mut bodies) {
            wait("slow clients to be cut off", || is_cut_off(slow));
        }
        check_refusals(&service);
    });
    let peak = service.peak_memory();
    assert_eq!(service.stop(), Some(0));
    let stored =
        desk.rows("SELECT count(*), count(DISTINCT event_id) FROM events WHERE chat_id = 1");
    let [rows, events] = [0, 1].map(|column| stored[0][column].as_u64().expect("a count"));
    println!(
        "slow, endless and mad clients: accepted {accepted}, in the lake {events}, lost {}, doubled {}; the longest \
         answer took {longest:?}, peak memory {} MiB",
        accepted - events,
        rows - events,
        peak >> 20
    );
    assert_eq!((events, rows), (accepted, accepted));
    assert!(longest < LONGEST_ANSWER, "{longest:?}");
    assert!(peak < MOST_MEMORY, "{} MiB", peak >> 20);
}

fn is_cut_off(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    match stream.read(&mut [0; 512]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

fn check_refusals(service: &Service) {
    let endless = |start: &str, piece: &str| {
        let mut stream = connect(service);
        let _ = stream.write_all(start.as_bytes());
        // The answer may come, and the connection end, long before all of this is sent.
        for _ in 0..10_000 {
            if stream.write_all(piece.as_bytes()).is_err() {
                break;
            }
        }
        status(stream)
    };
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let headers = head("").trim_end_matches("\r\n").to_owned() + "\r\n";
    let header = format!("x: {}\r\n", "y".repeat(100));
    assert!(matches!(endless(&headers, &header), None | Some(431)));
    let chunked = head("transfer-encoding: chunked\r\n");
    assert!(matches!(endless(&chunked, &chunk), None | Some(413)));

    let refused = |request: &str| {
        let mut stream = connect(service);
        stream.write_all(request.as_bytes()).expect("a request");
        status(stream)
    };
    let oversized = head("content-length: 100000000\r\n");
    assert_eq!(refused(&oversized), Some(413));
    let compressed = head("content-encoding: gzip\r\ncontent-length: 100\r\n");
    assert_eq!(refused(&compressed), Some(415));
    let body = delivery(2, 2);
    let first = head(&format!("content-length: {}\r\n", body.len())) + &body;
    assert_eq!(
        refused(&(first + "\u{1}\u{2} no request\r\n\r\n")),
        Some(200)
    );
    assert_eq!(refused("\u{1}\u{2} no request\r\n\r\n"), Some(400));
    check_pipeline(service);
}

/// Many requests sent at once, without waiting for an answer, are all answered.
fn check_pipeline(service: &Service) {
    let request = |message: u64| {
        let body = delivery(3, message);
        let last = if message == PIPELINED {
            "connection: close\r\n"
        } else {
            ""
        };
        head(&format!("{last}content-length: {}\r\n", body.len())) + &body
    };
    let requests: String = (1..=PIPELINED).map(request).collect();
    let answers = exchange(service.address(), requests.as_bytes(), false);
    let accepted = answers.matches("HTTP/1.1 200").count() as u64;
    assert_eq!(accepted, PIPELINED, "{answers}");
}

/// Of the first answer, if any came before the connection was cut.
fn status(mut stream: TcpStream) -> Option<u16> {
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    std::str::from_utf8(&answer[9..]).ok()?.parse().ok()
}
