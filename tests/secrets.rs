//! What nobody may read in an answer, a log line or a metric: tokens, and what people wrote or who they are.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Desk, Printed, Service, TOKEN, exchange, wait};

const WRONG_TOKEN: &str = "wr0ng70ken8843da099dbd05c53c4866";
const PHONE: &str = "5511987650123";
const EMAIL: &str = "maria.segredo@example.com";
const WORDS: &str = "meu joelho dói desde ontem";
const KEY: &str = "storageSecretKey77aa";

/// Parts by which each would be recognised, also where it is escaped or cut.
const SECRETS: [&str; 6] = [
    TOKEN,
    WRONG_TOKEN,
    PHONE,
    "maria.segredo",
    "meu joelho",
    KEY,
];

#[track_caller]
fn shows_nothing(what: &str, text: &str) {
    for secret in SECRETS {
        if let Some(at) = text.find(secret) {
            let line = text[..at].matches('\n').count();
            let line = text.lines().nth(line).unwrap_or_default();
            panic!("{what} shows {secret}: {line}");
        }
    }
}

/// A delivery with something private in every field, and in names of fields and events.
fn delivery(token: &str) -> String {
    let message = json!({
        "id": 7, "body": WORDS, "is_internal": false, "senderType": "widget", "send_at": PHONE,
        "sender": { "id": 4, "name": EMAIL, "mobile": PHONE, "phone": PHONE, "email": EMAIL },
        "chat": { "id": 5, "channel": EMAIL, "situation": WORDS, "department": { "id": PHONE, "name": WORDS } },
        "customer": { "id": EMAIL, "name": WORDS, "mobile": PHONE, "email": EMAIL },
        "company": { "id": EMAIL }, "isInternal": WORDS, EMAIL: PHONE,
    });
    let messages = json!({
        "receivedMessage": [message, WORDS, [EMAIL], { "chat": PHONE }],
        "closedChat": [{ "id": EMAIL, "closed_at": WORDS, "chat": { "id": 5 } }],
        "createdCustomer": [{ "id": 4, "mobile": PHONE, "email": EMAIL, "custom_fields": { EMAIL: WORDS } }],
        EMAIL: [{ PHONE: WORDS }],
        WORDS: PHONE,
    });
    json!({ "time": 1_709_298_000, "messages": messages, "token": token }).to_string()
}

fn request(line: &str, headers: &[String], body: &str) -> Vec<u8> {
    let headers: String = headers
        .iter()
        .map(|header| format!("{header}\r\n"))
        .collect();
    let length = body.len();
    format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

/// Requests of every kind of outcome, with secrets in every place, and what their answer begins with.
fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let private = format!("{TOKEN}/{PHONE}/{EMAIL}?token={TOKEN}&phone={PHONE}&email={EMAIL}");
    let headers = [
        format!("Authorization: Bearer {TOKEN}"),
        format!("Cookie: token={WRONG_TOKEN}; email={EMAIL}"),
        format!("User-Agent: {EMAIL}"),
        format!("X-{PHONE}: {PHONE}"),
        format!("Content-Type: {EMAIL}"),
    ];
    let post = |body: &str| request("POST /webhook", &headers, body);
    let (known, unknown) = (delivery(TOKEN), delivery(WRONG_TOKEN));
    let cut = &known[..known.len() - 2];
    let json = |body: serde_json::Value| post(&body.to_string());
    vec![
        ("HTTP/1.1 200", post(&known)),
        ("HTTP/1.1 200", request(&format!("PUT /webhook?token={TOKEN}&phone={PHONE}"), &headers, &known)),
        ("HTTP/1.1 200", json(json!({ "token": TOKEN, "messages": WORDS, EMAIL: PHONE }))),
        ("HTTP/1.1 200", json(json!({ "token": TOKEN, "text": WORDS, "from": PHONE }))),
        ("HTTP/1.1 401", post(&unknown)),
        ("HTTP/1.1 401", json(json!({ "token": WRONG_TOKEN, "validToken": true, "email": EMAIL }))),
        ("HTTP/1.1 401", json(json!({ "token": format!(" {TOKEN}"), "messages": {} }))),
        ("HTTP/1.1 401", json(json!({ "token": [TOKEN, PHONE], "messages": WORDS }))),
        ("HTTP/1.1 401", json(json!({ "messages": { EMAIL: [PHONE, TOKEN] } }))),
        ("HTTP/1.1 400", json(json!({ "from": PHONE, "to": PHONE, "text": WORDS, "id": EMAIL }))),
        ("HTTP/1.1 400", json(json!([TOKEN, PHONE, EMAIL, WORDS]))),
        ("HTTP/1.1 400", json(json!(TOKEN))),
        ("HTTP/1.1 400", post(cut)),
        ("HTTP/1.1 400", post(&format!("{known}{known}"))),
        ("HTTP/1.1 400", post(&format!("token={TOKEN}&email={EMAIL}&body={WORDS}"))),
        ("HTTP/1.1 400", post(&format!("{{\"token\":\"{TOKEN}\",\"{EMAIL}\":{PHONE}x}}"))),
        ("HTTP/1.1 400", post(&format!("{{\"token\":\"{TOKEN}\n{WORDS}\"}}"))),
        ("HTTP/1.1 413", post(&format!("{known}{}", " ".repeat(70_000)))),
        ("HTTP/1.1 404", request(&format!("POST /{private}"), &headers, &known)),
        ("HTTP/1.1 404", request(&format!("POST /webhook/{private}"), &headers, &unknown)),
        ("HTTP/1.1 405", request(&format!("GET /webhook?token={TOKEN}&email={EMAIL}"), &headers, "")),
        ("HTTP/1.1 405", request("DELETE /webhook", &headers, &known)),
        // The parser's own answers.
        ("HTTP/1.1 400", format!("{TOKEN} {EMAIL}\r\n{PHONE}\r\n\r\n").into_bytes()),
        ("HTTP/1.1 400", format!("POST /webhook HTTP/1.1\r\nHost: x\r\n{EMAIL}\r\n\r\n{known}").into_bytes()),
        ("HTTP/1.1 400", format!("POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: {TOKEN}\r\n\r\n{known}").into_bytes()),
        ("HTTP/1.1 431", format!("POST /webhook HTTP/1.1\r\nX: {}\r\n\r\n", TOKEN.repeat(4000)).into_bytes()),
        // Gone before the body was complete.
        ("", format!("POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n{known}").into_bytes()),
        ("", format!("POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{TOKEN}\r\n{known}").into_bytes()),
    ]
}

/// Sends every request; no answer shows anything.
fn drive(service: &Service) {
    for (expected, request) in requests() {
        let answer = exchange(service.address(), &request, expected.is_empty());
        let sent = String::from_utf8_lossy(&request);
        let sent = sent.lines().next().unwrap_or_default();
        assert!(answer.starts_with(expected), "{sent}: {answer}");
        shows_nothing(&format!("the answer to {sent}"), &answer);
        // The admin address is no secret's place either.
        shows_nothing(
            "an admin answer",
            &exchange(service.admin.trim_start_matches("http://"), &request, true),
        );
    }
    let handshake = json!({ "token": TOKEN, "validToken": true, "email": EMAIL }).to_string();
    assert_eq!(service.post(handshake), (200, TOKEN.to_owned()));
    for path in ["/metrics", "/readyz", "/healthz"] {
        shows_nothing(path, &service.get(path).1);
    }
}

#[track_caller]
fn printed_shows_nothing(what: &str, printed: &Printed) {
    shows_nothing(what, &printed.stdout);
    shows_nothing(what, &printed.stderr);
}

#[test]
fn no_answer_log_line_or_metric_shows_anything_private() {
    for format in ["json", "human"] {
        let desk = Desk::new();
        let settings = format!(
            "tokens = [{TOKEN:?}]\nmax_body_bytes = \"64KiB\"\nflush_interval = \"100ms\"\n"
        );
        desk.write("huggy-etl.toml", settings);
        // A lake that cannot be written at first: failures are told, too.
        fs::create_dir(desk.path("lake")).expect("a folder");
        desk.write("lake/events", EMAIL);
        let environment = [("HUGGY_ETL_LOG", "trace")];
        let args = ["--log-format", format, "--transform-every", "200ms"];
        let service = desk.serve_in(&environment, &args);
        drive(&service);
        wait("a failed flush", || {
            let metrics = service.get("/metrics").1;
            !metrics.contains("huggy_etl_flush_failures_total 0\n")
        });
        fs::remove_file(desk.path("lake/events")).expect("making room for the table");
        wait("a flush and the facts", || {
            let log = service.log();
            let derived = ["all facts rebuilt", "facts brought up to date"];
            log.contains("flushed") && derived.iter().any(|words| log.contains(words))
        });
        drive(&service);
        let log = service.log();
        assert!(
            log.contains("flushed") && log.contains("could not be brought to the lake"),
            "{log}"
        );
        shows_nothing("the log", &log);
        assert_eq!(service.stop(), Some(0));
        let logs = fs::read_dir(desk.path("")).expect("the desk");
        for log in logs.filter_map(|entry| Some(entry.ok()?.path())) {
            if log.extension().is_some_and(|extension| extension == "log") {
                shows_nothing("the log", &fs::read_to_string(log).expect("a log"));
            }
        }
        assert!(desk.number("SELECT count(*) FROM events") > 5);
        for command in ["doctor", "config", "tables", "transform"] {
            let mut command_line = desk.command(&[command]);
            command_line.env("HUGGY_ETL_LOG", "trace");
            let printed = Printed::from(command_line.output().expect("running the binary"));
            printed_shows_nothing(command, &printed);
        }
    }
}

#[test]
fn pairing_and_its_failure_show_no_token() {
    let desk = Desk::new();
    let service = desk.serve_in(
        &[("HUGGY_ETL_LOG", "trace")],
        &["--log-format", "json", "--pair"],
    );
    let handshake = |token: &str| json!({ "token": token, "validToken": true }).to_string();
    // What cannot be stored, since a folder is in its place.
    fs::create_dir(desk.path("wal/paired-token.unfinished")).expect("a folder");
    for token in [TOKEN, &format!("{TOKEN}\u{7}")] {
        let (status, answer) = service.post(handshake(token));
        assert_ne!(status, 200, "{answer}");
        shows_nothing("the answer", &answer);
    }
    fs::remove_dir(desk.path("wal/paired-token.unfinished")).expect("removing the folder");
    assert_eq!(service.post(handshake(TOKEN)), (200, TOKEN.to_owned()));
    shows_nothing("the answer", &service.post(handshake(WRONG_TOKEN)).1);
    shows_nothing("the log", &service.log());
    service.kill();
    desk.write("wal/paired-token", format!("{TOKEN}\u{7}\n"));
    printed_shows_nothing(
        "serve",
        &desk.run(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ]),
    );
}

#[test]
fn an_import_shows_nothing_of_the_lines_it_rejects_and_keeps_them_for_their_owner() {
    let desk = Desk::new();
    let lines = [
        delivery(TOKEN),
        delivery(TOKEN)[..90].to_owned(),
        json!([WORDS, EMAIL]).to_string(),
        json!({ "body": WORDS, "received_at": EMAIL }).to_string(),
        json!({ "body": { "messages": {}, "time": PHONE }, "received_at": EMAIL }).to_string(),
        format!("{TOKEN} {PHONE}"),
    ];
    desk.write("past.ndjson", lines.join("\n"));
    let mut command = desk.command(&["import", "past.ndjson"]);
    command.env("HUGGY_ETL_LOG", "trace");
    let printed = Printed::from(command.output().expect("importing"));
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert!(
        printed.stderr.contains("5 line(s) rejected"),
        "{}",
        printed.stderr
    );
    printed_shows_nothing("import", &printed);
    let rejected = desk.path("past.ndjson.rejected.ndjson");
    assert!(
        fs::read_to_string(&rejected)
            .expect("rejected lines")
            .contains(TOKEN)
    );
    let mode = fs::metadata(rejected)
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_storage_that_refuses_shows_no_credentials() {
    let desk = Desk::new();
    for (lake, variable) in [
        ("s3://bucket/lake", "AWS_SECRET_ACCESS_KEY"),
        ("az://container/lake", "AZURE_STORAGE_SAS_TOKEN"),
    ] {
        for arguments in [&["tables"][..], &["config"]] {
            let output = Command::new(env!("CARGO_BIN_EXE_huggy-etl"))
                .current_dir(desk.path(""))
                .env_clear()
                .args(["--lake", lake])
                .args(arguments)
                .env("HUGGY_ETL_LOG", "trace")
                .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
                .env("AWS_ALLOW_HTTP", "true")
                .env("AWS_REGION", "us-east-1")
                .env("AWS_ACCESS_KEY_ID", "someone")
                .env("AZURE_STORAGE_ACCOUNT_NAME", "someone")
                .env("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:1")
                .env("AZURE_STORAGE_ALLOW_HTTP", "true")
                .env("AZURE_MAX_RETRIES", "0")
                .env(variable, format!("sv=2020&sig={KEY}"))
                .output()
                .expect("running the binary");
            printed_shows_nothing(&format!("{arguments:?} of {lake}"), &Printed::from(output));
        }
    }
}

#[test]
fn mistakes_in_settings_show_no_token() {
    let desk = Desk::new();
    for settings in [
        format!("tokens = {TOKEN}"),
        format!("tokens = \"{TOKEN}\""),
        format!("tokens = [\"{TOKEN}\""),
        format!("tokens = [\"{TOKEN}\", 1]"),
        format!("tokens = [\"{TOKEN}\" \"{WRONG_TOKEN}\"]"),
        format!("tokens = [\"{TOKEN}\"]\ntokens = [\"{WRONG_TOKEN}\"]"),
        format!("token = \"{TOKEN}\""),
        format!("[tokens]\nhuggy = \"{TOKEN}\""),
        format!("tokens = [\"{TOKEN}\u{7}\"]"),
        TOKEN.to_owned(),
    ] {
        desk.write("huggy-etl.toml", &settings);
        let printed = desk.run(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ]);
        assert_ne!(printed.code, Some(0), "{settings}");
        printed_shows_nothing(&settings, &printed);
    }
    fs::remove_file(desk.path("huggy-etl.toml")).expect("the settings");
    desk.write("tokens", format!("{TOKEN}\n{WRONG_TOKEN}\u{7}\n"));
    let mut command = desk.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    command.env("HUGGY_ETL_TOKEN_FILE", "tokens");
    printed_shows_nothing(
        "a token file",
        &Printed::from(command.output().expect("serving")),
    );
}

#[test]
fn what_holds_secrets_is_for_the_service_s_user_only() {
    let desk = Desk::new();
    let tokens = desk.write("tokens", TOKEN);
    let mode = |path: &Path| {
        let metadata = fs::metadata(path).expect("its metadata");
        metadata.permissions().mode() & 0o777
    };
    let warning = "other users of this machine can read";
    for (permissions, warned) in [(0o640, true), (0o600, false)] {
        fs::set_permissions(&tokens, Permissions::from_mode(permissions)).expect("permissions");
        let service = desk.serve_in(
            &[("HUGGY_ETL_TOKEN_FILE", "tokens")],
            &["--log-format", "json"],
        );
        assert_eq!(service.post(delivery(TOKEN)).0, 200);
        assert_eq!(service.log().contains(warning), warned);
        assert_eq!(mode(&desk.path("wal")), 0o700);
        let log = fs::read_dir(desk.path("wal")).expect("the log");
        for folder in log
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_dir())
        {
            assert_eq!(mode(&folder), 0o700);
            for segment in fs::read_dir(folder).expect("a log's folder") {
                assert_eq!(mode(&segment.expect("a segment").path()), 0o600);
            }
        }
        service.kill();
    }
}
