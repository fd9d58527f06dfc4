//! Load: many connections, each posting one delivery after the other, every delivery a new event.
//!
//! The client writes and reads raw HTTP, so that little of the two cores goes to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Result;

pub const TOKEN: &str = "5e8b9943da099dbd05c53c48662c31ab";
const BODY_BYTES: usize = 1300;
/// Stands in the body where the message's number goes.
const NUMBER: &str = "100000000000";
/// Events of so many messages in a row are one chat's.
const CHAT: &str = "200000000";
const MESSAGES_PER_CHAT: u64 = 15;

/// Requests a second answered 200.
pub fn requests_per_second(
    address: &str,
    time: Duration,
    first: u64,
    connections: usize,
) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (next, stop) = (
            Arc::new(AtomicU64::new(first)),
            Arc::new(AtomicBool::new(false)),
        );
        let began = Instant::now();
        let mut clients = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            clients.push(tokio::spawn(client(
                stream,
                address.to_owned(),
                next.clone(),
                stop.clone(),
            )));
        }
        tokio::time::sleep(time).await;
        stop.store(true, Ordering::Relaxed);
        let mut answered = 0;
        for client in clients {
            answered += client.await??;
        }
        Ok(answered as f64 / began.elapsed().as_secs_f64())
    })
}

async fn client(
    mut stream: TcpStream,
    host: String,
    next: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> Result<u64> {
    let (mut request, number, chat) = request(&host);
    let mut answer = [0; 2048];
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) {
        let message = next.fetch_add(1, Ordering::Relaxed);
        put(&mut request[number..number + NUMBER.len()], message);
        put(
            &mut request[chat..chat + CHAT.len()],
            1 + message / MESSAGES_PER_CHAT,
        );
        stream.write_all(&request).await?;
        let length = stream.read(&mut answer).await?;
        if !answer[..length].starts_with(b"HTTP/1.1 200") {
            return Err(format!("refused: {}", String::from_utf8_lossy(&answer[..length])).into());
        }
        answered += 1;
    }
    Ok(answered)
}

fn put(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    // A number does not begin with 0.
    digits[0] = digits[0].max(b'1');
}

/// One request, and where in it the numbers of message and chat lie.
fn request(host: &str) -> (Vec<u8>, usize, usize) {
    let time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let body = |text: &str| {
        format!(
            r#"{{"time":{time},"messages":{{"receivedMessage":[{{"id":{NUMBER},"body":"{text}","is_internal":false,"is_email":false,"sender":{{"id":633,"name":"John Doe","mobile":null,"phone":null,"email":null,"photo":"https://c.pzw.io/img/avatar-user-boy.jpg"}},"senderType":"widget","receiver":false,"receiverType":"agent","file":null,"channel":"widget","customer":{{"id":633,"name":"John Doe","mobile":null,"phone":null,"email":null,"photo":"https://c.pzw.io/img/avatar-user-boy.jpg"}},"chat":{{"id":{CHAT},"channel":"widget","situation":"wait_for_chat","department":false,"customer":{{"id":633,"name":"John Doe","mobile":null,"phone":null,"email":null,"photo":"https://c.pzw.io/img/avatar-user-boy.jpg"}},"workflowID":null,"workflowStepID":null}},"send_at":"2026-09-08 16:55:44","read_at":null,"company":{{"id":3526}}}}]}},"token":"{TOKEN}"}}"#
        )
    };
    let text = "Bom dia, preciso de ajuda com o meu pedido. ".repeat(40);
    let text = &text[..BODY_BYTES - body("").len()];
    let body = body(text);
    let head = format!(
        "POST /webhook HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = head + &body;
    let place = |marker: &str| {
        request
            .find(marker)
            .expect("the marker is part of the body")
    };
    let (number, chat) = (place(NUMBER), place(CHAT));
    (request.into_bytes(), number, chat)
}
