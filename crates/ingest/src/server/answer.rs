//! What the webhook answers, in HTTP. Every refusal says what was wrong and what to do, and shows nothing of the request.

use std::time::Duration;

use serde::Serialize;
use warp::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use warp::http::{Response as HttpResponse, StatusCode};
use warp::reply::Response;

use super::envelope::Malformed;
use crate::metrics::Outcome;
use crate::wal::AppendError;

/// How a request to the webhook ends.
#[derive(Debug)]
pub(super) enum Answer {
    Stored,
    /// The handshake: the bare token back.
    Token {
        token: String,
        newly_paired: bool,
    },
    Refused(Refusal),
}

/// Why a request is not accepted.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    WrongPath {
        webhook: String,
    },
    WrongMethod,
    TooLarge {
        limit_bytes: usize,
    },
    TooSlow,
    Compressed,
    /// The client went away, or its framing is broken.
    BrokenBody,
    Malformed(Malformed),
    NotADelivery,
    WrongToken,
    NoTokenSent,
    NoTokenConfigured,
    NotPairable,
    PairingFailed,
    /// Any of the above that is the client's fault, from an address that had too many.
    TooManyRefused {
        wait: Duration,
    },
    OverCapacity,
    NotSafe(AppendError),
}

/// The body of a refusal.
#[derive(Serialize)]
struct Message<'a> {
    error: &'a str,
    help: &'a str,
}

impl Answer {
    pub fn outcome(&self) -> Outcome {
        match self {
            Answer::Stored => Outcome::Stored,
            Answer::Token {
                newly_paired: true, ..
            } => Outcome::Paired,
            Answer::Token { .. } => Outcome::Handshake,
            Answer::Refused(refusal) => refusal.outcome(),
        }
    }

    pub fn into_response(self) -> Response {
        match self {
            Answer::Stored => HttpResponse::default(),
            Answer::Token { token, .. } => {
                let mut response: Response = HttpResponse::new(token.into());
                response.headers_mut().insert(
                    CONTENT_TYPE,
                    HeaderValue::from_static("text/plain; charset=utf-8"),
                );
                response
            }
            Answer::Refused(refusal) => refusal.into_response(),
        }
    }
}

impl Refusal {
    /// Whether the body, or its sender, is at fault; not the service, nor what stands before the body.
    pub fn is_of_the_body(&self) -> bool {
        matches!(
            self.outcome(),
            Outcome::Unauthorized
                | Outcome::Malformed
                | Outcome::NotADelivery
                | Outcome::TooLarge
                | Outcome::TooSlow
        )
    }

    pub fn outcome(&self) -> Outcome {
        match self {
            Refusal::WrongPath { .. } => Outcome::WrongPath,
            Refusal::WrongMethod => Outcome::WrongMethod,
            Refusal::TooLarge { .. } | Refusal::NotSafe(AppendError::TooLarge) => Outcome::TooLarge,
            Refusal::TooSlow => Outcome::TooSlow,
            Refusal::Compressed => Outcome::Compressed,
            Refusal::BrokenBody | Refusal::Malformed(_) => Outcome::Malformed,
            Refusal::NotADelivery => Outcome::NotADelivery,
            Refusal::WrongToken
            | Refusal::NoTokenSent
            | Refusal::NoTokenConfigured
            | Refusal::NotPairable => Outcome::Unauthorized,
            Refusal::TooManyRefused { .. } => Outcome::Limited,
            Refusal::OverCapacity | Refusal::NotSafe(AppendError::Busy | AppendError::NoHandle) => {
                Outcome::OverCapacity
            }
            Refusal::NotSafe(AppendError::Full | AppendError::NoSpace) => Outcome::WalFull,
            Refusal::PairingFailed
            | Refusal::NotSafe(AppendError::Failed | AppendError::Closed) => Outcome::WalFailed,
        }
    }

    fn status(&self) -> StatusCode {
        match self.outcome() {
            Outcome::WrongPath => StatusCode::NOT_FOUND,
            Outcome::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Outcome::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Outcome::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Outcome::Compressed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Outcome::Malformed | Outcome::NotADelivery => StatusCode::BAD_REQUEST,
            Outcome::Unauthorized => StatusCode::UNAUTHORIZED,
            Outcome::Limited => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Seconds after which trying again makes sense.
    fn retry_after(&self) -> Option<u64> {
        let is_passing = matches!(
            self.status(),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        );
        let seconds = match self {
            Refusal::TooManyRefused { wait } => wait.as_secs() + 1,
            Refusal::OverCapacity | Refusal::NotSafe(AppendError::Busy | AppendError::NoHandle) => {
                1
            }
            Refusal::NotSafe(AppendError::Full | AppendError::NoSpace) => 30,
            _ => 5,
        };
        is_passing.then_some(seconds)
    }

    pub fn error(&self) -> String {
        match self {
            Refusal::WrongPath { .. } => "nothing is here".to_owned(),
            Refusal::WrongMethod => "the webhook takes POST and PUT only".to_owned(),
            Refusal::TooLarge { limit_bytes } => {
                format!("the body is larger than {limit_bytes} bytes")
            }
            Refusal::TooSlow => "the body did not arrive in time".to_owned(),
            Refusal::Compressed => "the body is compressed".to_owned(),
            Refusal::BrokenBody => "the body ended before it was complete".to_owned(),
            Refusal::Malformed(Malformed {
                line,
                column,
                is_cut_short: true,
            }) => {
                format!("the body is not JSON: it ends too early, at line {line} column {column}")
            }
            Refusal::Malformed(Malformed { line, column, .. }) => {
                format!("the body is not JSON: see line {line} column {column}")
            }
            Refusal::NotADelivery => "this is not a Huggy chat delivery".to_owned(),
            Refusal::WrongToken => "the token is not one of ours".to_owned(),
            Refusal::NoTokenSent => "the delivery carries no token".to_owned(),
            Refusal::NoTokenConfigured => {
                "this service has no token configured, so it accepts nothing".to_owned()
            }
            Refusal::NotPairable => "the token of this handshake cannot be used".to_owned(),
            Refusal::PairingFailed => "the token could not be stored".to_owned(),
            Refusal::TooManyRefused { .. } => {
                "too many requests from this address were refused".to_owned()
            }
            Refusal::OverCapacity => "too many requests at once".to_owned(),
            Refusal::NotSafe(error) => format!("the delivery could not be made safe: {error}"),
        }
    }

    fn help(&self) -> String {
        let help = match self {
            Refusal::WrongPath { webhook } => return format!("send deliveries to {webhook}"),
            Refusal::WrongMethod => "use POST",
            Refusal::TooLarge { .. } => {
                "raise the limit of the body in the service's settings if this is a delivery"
            }
            Refusal::Compressed => "send it as plain JSON, without a Content-Encoding",
            Refusal::TooSlow | Refusal::BrokenBody => "send it again",
            Refusal::Malformed(_) => "send one JSON object, in UTF-8, as the platform does",
            Refusal::NotADelivery => {
                "a delivery is an object with `token` and `messages`, a handshake one with `token` and `validToken`"
            }
            Refusal::WrongToken => {
                "configure this service with the token that the platform shows for this webhook"
            }
            Refusal::NoTokenSent => "the platform sends its token with every delivery, as `token`",
            Refusal::NoTokenConfigured => {
                "start it with `serve --token TOKEN` or with the token in its settings, or with `serve --pair` and then \
                 save the webhook's URL in the platform"
            }
            Refusal::NotPairable => "a token is 1 to 1024 bytes of text without control characters",
            Refusal::PairingFailed => {
                "check the disk of the write-ahead log, then save the URL in the platform again"
            }
            Refusal::TooManyRefused { .. } => {
                "send deliveries with the token of this service, which are always accepted"
            }
            Refusal::OverCapacity => "try again shortly; the limits are settings of the service",
            Refusal::NotSafe(_) => {
                "send it again later; the service's /readyz and log say what is wrong"
            }
        };
        help.to_owned()
    }

    /// What those who run the service should look at, in its log.
    pub fn check(&self) -> &'static str {
        match self.outcome() {
            Outcome::Unauthorized => {
                "whether the settings `tokens` and `token_file`, or what was paired, hold the token that the platform shows"
            }
            Outcome::WrongPath | Outcome::WrongMethod => {
                "whether the address in the platform's webhook settings ends in `webhook_path`; if it does, others ask"
            }
            Outcome::Malformed | Outcome::NotADelivery | Outcome::Compressed => {
                "what else sends to this address, and whether a proxy before it changes bodies"
            }
            Outcome::TooLarge => "`max_body_bytes`, if these are deliveries",
            Outcome::TooSlow => "`body_timeout`, and the network before the service",
            Outcome::Limited => "the other refusals in this log: one address has too many of them",
            Outcome::OverCapacity => {
                "the load of this machine, and the disk of the write-ahead log"
            }
            Outcome::WalFull => {
                "/readyz, whether the lake takes deliveries, and the disk of the write-ahead log"
            }
            _ => "/readyz, and the disk of the write-ahead log",
        }
    }

    fn into_response(self) -> Response {
        let message = json(&self.error(), &self.help());
        let mut response: Response = HttpResponse::new(message.into());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Refusal::TooManyRefused { .. } = self {
            // Whoever goes on has to connect anew each time.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self == Refusal::WrongMethod {
            headers.insert(ALLOW, HeaderValue::from_static("POST, PUT"));
        }
        response
    }
}

/// The body of every error.
pub(super) fn json(error: &str, help: &str) -> String {
    serde_json::to_string(&Message { error, help }).expect("two texts serialise")
}
