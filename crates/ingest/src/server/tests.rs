use std::sync::Mutex as StdMutex;

use chrono::{DateTime, Utc};
use events::Tz;
use futures::TryStreamExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::*;
use crate::flush::FlushPolicy;
use crate::table::events_table;
use crate::tokens::Token;

const SECRET: &str = "s3cret-token";

/// A running service on free ports, its lake and log in a directory of their own.
struct Service {
    dir: Arc<TempDir>,
    webhook: SocketAddr,
    admin: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
}

struct Reply {
    status: u16,
    headers: String,
    body: String,
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

impl Service {
    async fn start(adjust: impl FnOnce(&mut ServeConfig)) -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), adjust).await
    }

    async fn start_in(dir: Arc<TempDir>, adjust: impl FnOnce(&mut ServeConfig)) -> Self {
        let lake = lake_in(&dir);
        Self::start_with(dir, lake, adjust).await
    }

    async fn start_with(
        dir: Arc<TempDir>,
        lake: Lake,
        adjust: impl FnOnce(&mut ServeConfig),
    ) -> Self {
        let mut config = ServeConfig::new(dir.path().join("wal"), Tz::UTC, now);
        config.listen.set_port(0);
        config.admin_listen.set_port(0);
        config.tokens = vec![Token::new(SECRET).unwrap()];
        config.flush = FlushPolicy {
            interval: Duration::from_secs(3600),
            ..FlushPolicy::default()
        };
        adjust(&mut config);
        let (shutdown, stopped) = oneshot::channel::<()>();
        let (ready, addresses) = oneshot::channel();
        let ready = StdMutex::new(Some(ready));
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            serve(config, lake, stopped, |webhook, admin| {
                let ready = ready.lock().unwrap().take().unwrap();
                ready.send((webhook, admin)).unwrap();
            })
            .await
        });
        let (webhook, admin) = addresses.await.expect("the service starts");
        Self {
            dir,
            webhook,
            admin,
            shutdown: Some(shutdown),
            task,
        }
    }

    async fn post(&self, body: &str) -> Reply {
        request(self.webhook, "POST", "/webhook", body).await
    }

    async fn get(&self, path: &str) -> Reply {
        request(self.admin, "GET", path, "").await
    }

    async fn stop(mut self) -> Result<(), ServeError> {
        self.shutdown.take().unwrap().send(()).unwrap();
        self.task.await.unwrap()
    }

    /// Ends the service in order and counts the events of the lake.
    async fn stored(self) -> usize {
        let dir = Arc::clone(&self.dir);
        self.stop().await.unwrap();
        let table = lake_in(&dir).table(&events_table()).await.unwrap();
        let batches: Vec<_> = table
            .read(&["event_id"], None)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        batches.iter().map(|batch| batch.num_rows()).sum()
    }
}

fn lake_in(dir: &TempDir) -> Lake {
    Lake::open(dir.path().join("lake").to_str().unwrap(), []).unwrap()
}

async fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> Reply {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    raw(TcpStream::connect(address).await.unwrap(), &(head + body)).await
}

async fn raw(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, request: &str) -> Reply {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    // A server that refuses a body may reset the connection once it has answered.
    let _ = stream.read_to_end(&mut reply).await;
    let reply = String::from_utf8(reply).unwrap();
    let (headers, body) = reply
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {reply:?}"));
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    Reply {
        status,
        headers: headers.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

fn delivery(chat: u32, token: &str) -> String {
    format!(
        r#"{{"time":1700000000,"messages":{{"startedChat":[{{"chat":{{"id":{chat}}}}}]}},"token":"{token}"}}"#
    )
}

/// A refusal has a JSON body that says what was wrong and what to do, and shows nothing of the request.
fn assert_refused(reply: &Reply, status: u16, error: &str) {
    assert_eq!(reply.status, status, "{}", reply.body);
    let message: Value = serde_json::from_str(&reply.body).unwrap();
    assert!(
        message["error"].as_str().unwrap().contains(error),
        "{}",
        reply.body
    );
    assert!(!message["help"].as_str().unwrap().is_empty());
    assert!(
        reply.headers.contains("content-type: application/json"),
        "{}",
        reply.headers
    );
    assert_eq!(
        status == 503,
        reply.headers.contains("retry-after: "),
        "{}",
        reply.headers
    );
    assert!(!reply.body.contains("private"), "{}", reply.body);
}

#[tokio::test]
async fn deliveries_with_a_valid_token_are_stored_whatever_their_shape() {
    let service = Service::start(|_| {}).await;
    for body in [
        delivery(1, SECRET),
        format!(r#"{{"messages":[],"token":"{SECRET}"}}"#),
        format!(r#"{{"token":"{SECRET}"}}"#),
        format!(r#"{{"from":"1","to":"2","text":"x","token":"{SECRET}"}}"#),
        format!(r#"{{"token":"{SECRET}","validToken":true,"messages":{{}}}}"#),
    ] {
        let reply = service.post(&body).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, ""), "{body}");
    }
    assert_eq!(
        request(service.webhook, "PUT", "/webhook", &delivery(2, SECRET))
            .await
            .status,
        200
    );
    let metrics = service.get("/metrics").await.body;
    assert!(
        metrics.contains("huggy_etl_deliveries_total{result=\"stored\"} 6\n"),
        "{metrics}"
    );
    // The two events, and what the bodies without messages become.
    assert!(service.stored().await >= 3);
}

#[tokio::test]
async fn the_handshake_is_answered_with_the_bare_token_only_if_it_is_ours() {
    let service = Service::start(|_| {}).await;
    let reply = service
        .post(&format!(r#"{{"token":"{SECRET}","validToken":true}}"#))
        .await;
    assert_eq!((reply.status, reply.body.as_str()), (200, SECRET));
    assert!(
        reply.headers.contains("content-type: text/plain"),
        "{}",
        reply.headers
    );
    let reply = service
        .post(r#"{"token":"private","validToken":true}"#)
        .await;
    assert_refused(&reply, 401, "token is not one of ours");
    assert_eq!(service.stored().await, 0);
}

#[tokio::test]
async fn what_is_not_accepted_is_told_why() {
    let service = Service::start(|config| config.http.max_body_bytes = 500).await;
    let large = delivery(1, SECRET) + &" ".repeat(500);
    let cases = [
        (delivery(1, "private"), 401, "token is not one of ours"),
        (
            r#"{"messages":{"private":[]}}"#.to_owned(),
            401,
            "carries no token",
        ),
        (
            r#"{"from":"private","to":"2","text":"x","id":3,"token":"private"}"#.to_owned(),
            400,
            "not a Huggy chat delivery",
        ),
        (
            r#"{"hello":"private"}"#.to_owned(),
            400,
            "not a Huggy chat delivery",
        ),
        ("[]".to_owned(), 400, "not a Huggy chat delivery"),
        ("{\"token\":\n private}".to_owned(), 400, "line 2 column 2"),
        (String::new(), 400, "ends too early"),
        (large, 413, "larger than 500 bytes"),
    ];
    for (body, status, error) in cases {
        assert_refused(&service.post(&body).await, status, error);
    }
    assert_refused(
        &request(service.webhook, "POST", "/private", "{}").await,
        404,
        "nothing is here",
    );
    let reply = request(service.webhook, "GET", "/webhook", "").await;
    assert_refused(&reply, 405, "POST and PUT");
    assert!(
        reply.headers.contains("allow: post, put"),
        "{}",
        reply.headers
    );
    assert_eq!(service.stored().await, 0);
}

#[tokio::test]
async fn a_body_without_a_declared_length_is_limited_too() {
    let service = Service::start(|config| config.http.max_body_bytes = 500).await;
    let chunked = |body: &str| {
        format!(
            "POST /webhook HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
             {:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
    };
    let reply = raw(
        TcpStream::connect(service.webhook).await.unwrap(),
        &chunked(&delivery(1, SECRET)),
    )
    .await;
    assert_eq!(reply.status, 200);
    let reply = raw(
        TcpStream::connect(service.webhook).await.unwrap(),
        &chunked(&" ".repeat(600)),
    )
    .await;
    assert_refused(&reply, 413, "larger than 500 bytes");
    assert_eq!(service.stored().await, 1);
}

#[tokio::test]
async fn without_a_token_everything_is_refused_with_the_way_out() {
    let service = Service::start(|config| config.tokens.clear()).await;
    for body in [
        delivery(1, "private"),
        r#"{"token":"private","validToken":true}"#.to_owned(),
    ] {
        let reply = service.post(&body).await;
        assert_refused(&reply, 401, "no token configured");
        assert!(
            reply.body.contains("--token") && reply.body.contains("--pair"),
            "{}",
            reply.body
        );
    }
    assert_eq!(service.stored().await, 0);
}

#[tokio::test]
async fn pairing_takes_the_first_handshake_and_no_other_also_after_a_restart() {
    let dir = Arc::new(TempDir::new().unwrap());
    let pairing = |config: &mut ServeConfig| {
        config.tokens.clear();
        config.pair = true;
    };
    let service = Service::start_in(Arc::clone(&dir), pairing).await;
    assert_refused(
        &service.post(&delivery(1, "first")).await,
        401,
        "no token configured",
    );
    let reply = service.post(r#"{"token":"first","validToken":true}"#).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "first"));
    assert_refused(
        &service
            .post(r#"{"token":"second","validToken":true}"#)
            .await,
        401,
        "not one of ours",
    );
    assert_eq!(service.post(&delivery(1, "first")).await.status, 200);
    service.stop().await.unwrap();

    let service = Service::start_in(dir, pairing).await;
    assert_refused(
        &service
            .post(r#"{"token":"second","validToken":true}"#)
            .await,
        401,
        "not one of ours",
    );
    assert_eq!(service.post(&delivery(2, "first")).await.status, 200);
    assert_eq!(service.stored().await, 2);
}

#[tokio::test]
async fn a_full_log_answers_503_and_is_reported_unready() {
    let service = Service::start(|config| config.wal.max_bytes = 150).await;
    assert_eq!(service.post(&delivery(1, SECRET)).await.status, 200);
    assert_refused(&service.post(&delivery(2, SECRET)).await, 503, "size limit");
    let metrics = service.get("/metrics").await.body;
    assert!(
        metrics.contains("huggy_etl_deliveries_total{result=\"wal_full\"} 1\n"),
        "{metrics}"
    );
    assert_eq!(service.stored().await, 1);
}

#[tokio::test]
async fn bodies_together_are_limited() {
    let service = Service::start(|config| config.http.max_pending_bytes = 10).await;
    assert_refused(
        &service.post(&delivery(1, SECRET)).await,
        503,
        "too many requests",
    );
    service.stop().await.unwrap();
}

#[tokio::test]
async fn beyond_the_limit_idle_connections_make_room_and_others_are_told_to_come_back() {
    let service = Service::start(|config| config.http.max_connections = 1).await;
    let mut idle = TcpStream::connect(service.webhook).await.unwrap();
    let body = delivery(1, SECRET);
    let head = format!(
        "POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let whole = format!("{head}{body}");
    idle.write_all(whole.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    assert_eq!(service.post(&delivery(2, SECRET)).await.status, 200);

    let mut sending = TcpStream::connect(service.webhook).await.unwrap();
    let expecting = head.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    sending.write_all(expecting.as_bytes()).await.unwrap();
    sending.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Co");
    assert_refused(&service.post("").await, 503, "too many connections");
    assert_eq!(service.stored().await, 2);
}

#[tokio::test]
async fn compressed_bodies_are_refused() {
    let service = Service::start(|_| {}).await;
    let bomb = "POST /webhook HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-encoding: gzip\r\n\
                content-length: 4\r\n\r\n\x1f\x08\x00\x00";
    let reply = raw(TcpStream::connect(service.webhook).await.unwrap(), bomb).await;
    assert_refused(&reply, 415, "compressed");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn slow_headers_and_slow_bodies_do_not_hold_a_connection() {
    let service = Service::start(|config| {
        config.http.header_timeout = Duration::from_millis(50);
        config.http.body_timeout = Duration::from_millis(50);
    })
    .await;
    let mut silent = TcpStream::connect(service.webhook).await.unwrap();
    let mut nothing = Vec::new();
    // Ends because the server closes; what it says before does not matter.
    let _ = silent.read_to_end(&mut nothing).await;
    let slow =
        "POST /webhook HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{";
    let reply = raw(TcpStream::connect(service.webhook).await.unwrap(), slow).await;
    assert_refused(&reply, 408, "did not arrive in time");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_admin_address_shows_health_readiness_and_metrics() {
    let service = Service::start(|_| {}).await;
    assert_eq!(service.get("/healthz").await.status, 200);
    let ready = service.get("/readyz").await;
    let expected = r#"{"ready":true,"service":"ok","wal":"ok","lake":"ok"}"#;
    assert_eq!((ready.status, ready.body.as_str()), (200, expected));
    service.post(&delivery(1, SECRET)).await;
    let metrics = service.get("/metrics").await.body;
    for line in [
        "huggy_etl_wal_bytes ",
        "huggy_etl_lake_lag_seconds ",
        "huggy_etl_unflushed_age_seconds ",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(!metrics.contains(SECRET));
    assert_refused(&service.get("/webhook").await, 404, "nothing is here");
    assert_refused(
        &request(service.admin, "POST", "/healthz", "").await,
        405,
        "only shows",
    );
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_lake_that_does_not_answer_makes_the_service_unready_but_not_deaf() {
    let dir = Arc::new(TempDir::new().unwrap());
    // Nothing listens on that port.
    let options = [
        ("aws_endpoint", "http://127.0.0.1:1"),
        ("aws_allow_http", "true"),
        ("aws_region", "x"),
        ("aws_access_key_id", "x"),
        ("aws_secret_access_key", "x"),
    ];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let silent = Lake::open("s3://bucket/lake", options).unwrap();
    let service = Service::start_with(Arc::clone(&dir), silent, |config| {
        config.shutdown_grace = Duration::from_millis(10);
        config.clock = Utc::now;
    })
    .await;
    let ready = service.get("/readyz").await;
    let readiness: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!(
        (ready.status, &readiness["wal"]),
        (503, &Value::from("ok")),
        "{}",
        ready.body
    );
    assert_ne!(readiness["lake"], "ok", "{}", ready.body);
    let age = "huggy_etl_unflushed_age_seconds 0.0\n";
    assert!(service.get("/metrics").await.body.contains(age));
    assert_eq!(service.post(&delivery(1, SECRET)).await.status, 200);
    let metrics = service.get("/metrics").await.body;
    assert!(!metrics.contains(age), "{metrics}");
    service
        .stop()
        .await
        .expect("what cannot be flushed waits in the log");

    let service = Service::start_in(dir, |_| {}).await;
    assert_eq!(service.stored().await, 1);
}

#[tokio::test]
async fn a_lake_that_is_gone_makes_the_service_unready_until_it_is_back() {
    let service = Service::start(|config| config.flush.interval = Duration::ZERO).await;
    let flushed = |rows: usize| format!("huggy_etl_flushed_rows_total {rows}\n");
    let until = async |path: &str, words: &str| {
        while !service.get(path).await.body.contains(words) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert_eq!(service.post(&delivery(1, SECRET)).await.status, 200);
    until("/metrics", &flushed(1)).await;
    assert_eq!(service.get("/readyz").await.status, 200);

    let (lake, gone) = (
        service.dir.path().join("lake"),
        service.dir.path().join("gone"),
    );
    std::fs::rename(&lake, &gone).unwrap();
    std::fs::write(&lake, "in the way").unwrap();
    assert_eq!(service.post(&delivery(2, SECRET)).await.status, 200);
    until("/readyz", "deliveries cannot be brought to it").await;
    assert_eq!(service.get("/readyz").await.status, 503);

    std::fs::remove_file(&lake).unwrap();
    std::fs::rename(&gone, &lake).unwrap();
    until("/metrics", &flushed(2)).await;
    until("/readyz", "\"ready\":true").await;
    assert_eq!(service.stored().await, 2);
}

#[tokio::test]
async fn requests_in_flight_at_the_stop_are_finished() {
    let mut service = Service::start(|_| {}).await;
    let body = delivery(1, SECRET);
    let (first, second) = body.split_at(20);
    let head = format!(
        "POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{first}",
        body.len()
    );
    let mut stream = TcpStream::connect(service.webhook).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // An answer on a later connection means the server has seen the earlier one.
    assert_eq!(service.post(&delivery(2, SECRET)).await.status, 200);
    service.shutdown.take().unwrap().send(()).unwrap();
    while TcpStream::connect(service.webhook).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let reply = raw(stream, second).await;
    assert_eq!(reply.status, 200);
    service.task.await.unwrap().unwrap();
    let table = lake_in(&service.dir).table(&events_table()).await.unwrap();
    let rows: Vec<_> = table
        .read(&["event_id"], None)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
}

#[tokio::test]
async fn a_second_service_on_the_same_log_does_not_start() {
    let service = Service::start(|_| {}).await;
    let mut config = ServeConfig::new(service.dir.path().join("wal"), Tz::UTC, now);
    config.listen.set_port(0);
    config.admin_listen.set_port(0);
    let second = serve(
        config,
        lake_in(&service.dir),
        std::future::pending(),
        |_, _| panic!("started"),
    )
    .await;
    assert!(
        matches!(second, Err(ServeError::Wal(OpenError::Locked { .. }))),
        "{second:?}"
    );
    service.stop().await.unwrap();
}

type Issued = rcgen::CertifiedKey<rcgen::KeyPair>;

fn issue() -> Issued {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// A TLS connection of a client that trusts this certificate only.
async fn trusting(
    issued: &Issued,
    address: SocketAddr,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(issued.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let stream = TcpStream::connect(address).await?;
    connector
        .connect("localhost".try_into().unwrap(), stream)
        .await
}

/// The certificate and its key as files.
fn written(issued: &Issued, dir: &TempDir) -> TlsFiles {
    let files = TlsFiles::new(dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&files.certificate, issued.cert.pem()).unwrap();
    std::fs::write(&files.key, issued.signing_key.serialize_pem()).unwrap();
    files
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_without_a_restart_once_both_files_are_there() {
    let dir = Arc::new(TempDir::new().unwrap());
    let (old, new) = (issue(), issue());
    let files = TlsFiles {
        check_every: Duration::from_millis(20),
        ..written(&old, &dir)
    };
    let renewed = files.clone();
    let service = Service::start_in(dir, |config| config.tls = Some(files)).await;
    let mut kept = trusting(&old, service.webhook).await.unwrap();

    // A certificate without its key, and no certificate at all: the old one stays.
    for half in [new.cert.pem(), "nonsense".to_owned(), String::new()] {
        std::fs::write(&renewed.certificate, half).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        trusting(&old, service.webhook).await.unwrap();
    }
    std::fs::write(&renewed.certificate, new.cert.pem()).unwrap();
    std::fs::write(&renewed.key, new.signing_key.serialize_pem()).unwrap();
    let give_up = Instant::now() + Duration::from_secs(30);
    while trusting(&new, service.webhook).await.is_err() {
        assert!(Instant::now() < give_up, "the new certificate is not used");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(trusting(&old, service.webhook).await.is_err());
    // Connections from before go on.
    kept.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    kept.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn with_a_certificate_the_webhook_speaks_tls() {
    let dir = Arc::new(TempDir::new().unwrap());
    let issued = issue();
    let files = written(&issued, &dir);
    let service = Service::start_in(dir, |config| config.tls = Some(files)).await;
    let stream = trusting(&issued, service.webhook).await.unwrap();
    let body = delivery(1, SECRET);
    let head = "POST /webhook HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length";
    let reply = raw(stream, &format!("{head}: {}\r\n\r\n{body}", body.len())).await;
    assert_eq!(reply.status, 200);
    assert_eq!(service.stored().await, 1);
}

#[tokio::test]
async fn connections_that_begin_no_tls_handshake_make_room() {
    let dir = Arc::new(TempDir::new().unwrap());
    let issued = issue();
    let files = written(&issued, &dir);
    let service = Service::start_in(dir, |config| {
        config.tls = Some(files);
        config.http.max_connections = 1;
        config.http.header_timeout = Duration::from_secs(600);
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(service.webhook).await.unwrap());
    }
    let mut kept = trusting(&issued, service.webhook).await.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    kept.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
    for silent in &mut silent {
        let closed = tokio::time::timeout(Duration::from_secs(20), silent.read(&mut answer)).await;
        let read = closed.expect("a silent connection is kept beyond the limit");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_none_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let files = TlsFiles::new(dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&files.certificate, "nonsense").unwrap();
    let mut config = ServeConfig::new(dir.path().join("wal"), Tz::UTC, now);
    config.tls = Some(files);
    let error = serve(config, lake_in(&dir), std::future::pending(), |_, _| {})
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("cert.pem"), "{error}");
}
