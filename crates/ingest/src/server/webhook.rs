//! The webhook: from a request to an answer. Accepts by token and form alone, and answers 200 only when the log says
//! the delivery is safe. Never looks at an event.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, pin_mut};
use warp::Filter;
use warp::filters::path::FullPath;
use warp::http::Method;
use warp::reject::Rejection;
use warp::reply::Response;

use super::answer::{Answer, Refusal};
use super::config::HttpLimits;
use super::envelope::{Envelope, peek};
use super::notices::Notices;
use super::refusals::{Peer, Refusals};
use super::seats::Place;
use crate::metrics::Metrics;
use crate::tokens::{Token, Tokens};
use crate::wal::Wal;

/// What every request shares.
pub(super) struct Webhook {
    pub path: String,
    pub limits: HttpLimits,
    pub tokens: Tokens,
    pub refusals: Refusals,
    pub notices: Notices,
    pub wal: Wal,
    pub metrics: Metrics,
    pub clock: fn() -> DateTime<Utc>,
    /// Bytes of bodies being received or written.
    pub pending_bytes: AtomicUsize,
}

/// Answers every request, whatever its path.
pub(super) fn routes(
    webhook: Arc<Webhook>,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::method()
        .and(warp::path::full())
        .and(warp::header::optional::<usize>("content-length"))
        .and(warp::header::optional::<String>("content-encoding"))
        .and(warp::ext::optional::<Peer>())
        .and(warp::ext::optional::<Arc<Place>>())
        .and(warp::body::stream())
        .then(move |method, path, length, encoding, peer, place, body| {
            let webhook = Arc::clone(&webhook);
            async move {
                let announced = Announced { length, encoding };
                let answer = webhook
                    .receive(method, path, announced, place, body)
                    .await
                    .unwrap_or_else(|refusal| Answer::Refused(webhook.limited(refusal, peer)));
                if let Answer::Refused(refusal) = &answer {
                    webhook.notices.refused(refusal);
                }
                webhook.metrics.request_ended(answer.outcome());
                answer.into_response()
            }
        })
}

/// What the headers say of the body.
struct Announced {
    length: Option<usize>,
    encoding: Option<String>,
}

impl Webhook {
    async fn receive<B: Buf>(
        &self,
        method: Method,
        path: FullPath,
        Announced { length, encoding }: Announced,
        place: Option<Arc<Place>>,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<Answer, Refusal> {
        if path.as_str() != self.path {
            return Err(Refusal::WrongPath {
                webhook: self.path.clone(),
            });
        }
        if method != Method::POST && method != Method::PUT {
            return Err(Refusal::WrongMethod);
        }
        if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            return Err(Refusal::Compressed);
        }
        let limit_bytes = self.limits.max_body_bytes;
        if length.is_some_and(|length| length > limit_bytes) {
            return Err(Refusal::TooLarge { limit_bytes });
        }
        let mut pending = Pending {
            total: &self.pending_bytes,
            bytes: 0,
        };
        let collect = self.collect(length, body, &mut pending);
        let body = tokio::time::timeout(self.limits.body_timeout, collect)
            .await
            .map_err(|_| Refusal::TooSlow)??;
        if let Some(place) = place {
            place.request_is_here();
        }
        match self.judge(&body)? {
            Verdict::Store => self.store(body).await,
            Verdict::Greet(token) => Ok(Answer::Token {
                token,
                newly_paired: false,
            }),
            Verdict::Pair(token) => self.pair(token).await,
        }
    }

    /// The refusal itself, or that there were too many. What costs no look at a body is not counted.
    fn limited(&self, refusal: Refusal, peer: Option<Peer>) -> Refusal {
        let counted = refusal.is_of_the_body();
        match peer
            .filter(|_| counted)
            .map(|peer| self.refusals.count(peer))
        {
            Some(Err(wait)) => Refusal::TooManyRefused { wait },
            _ => refusal,
        }
    }

    /// The whole body. One that arrives in one piece is not copied.
    async fn collect<B: Buf>(
        &self,
        length: Option<usize>,
        body: impl Stream<Item = Result<B, warp::Error>>,
        pending: &mut Pending<'_>,
    ) -> Result<Bytes, Refusal> {
        pin_mut!(body);
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        while let Some(piece) = body.next().await {
            let mut piece = piece.map_err(|_| Refusal::BrokenBody)?;
            let size = piece.remaining();
            if pending.bytes + size > self.limits.max_body_bytes {
                return Err(Refusal::TooLarge {
                    limit_bytes: self.limits.max_body_bytes,
                });
            }
            pending.add(size, self.limits.max_pending_bytes)?;
            if first.is_empty() && rest.is_empty() {
                first = piece.copy_to_bytes(size);
            } else {
                if rest.is_empty() {
                    rest.reserve(length.unwrap_or(2 * (first.len() + size)));
                    rest.extend_from_slice(&std::mem::take(&mut first));
                }
                rest.extend_from_slice(&piece.copy_to_bytes(size));
            }
        }
        Ok(if rest.is_empty() {
            first
        } else {
            rest.freeze()
        })
    }

    fn judge(&self, body: &[u8]) -> Result<Verdict, Refusal> {
        let envelope = peek(body).map_err(Refusal::Malformed)?;
        match &envelope.token {
            Some(token) if self.tokens.accepts(token) => Ok(match envelope.is_handshake() {
                true => Verdict::Greet(token.clone().into_owned()),
                false => Verdict::Store,
            }),
            Some(token) if envelope.is_handshake() && self.tokens.pairing_is_open() => {
                Token::new(token)
                    .map(Verdict::Pair)
                    .map_err(|_| Refusal::NotPairable)
            }
            _ => Err(self.refusal(&envelope)),
        }
    }

    /// Why a body without an accepted token is not.
    fn refusal(&self, envelope: &Envelope) -> Refusal {
        let is_of_huggy = envelope.has_messages || envelope.is_handshake();
        if !is_of_huggy && (envelope.token.is_none() || envelope.has_sms_ends) {
            Refusal::NotADelivery
        } else if self.tokens.is_empty() {
            Refusal::NoTokenConfigured
        } else if envelope.token.is_none() {
            Refusal::NoTokenSent
        } else {
            Refusal::WrongToken
        }
    }

    async fn store(&self, body: Bytes) -> Result<Answer, Refusal> {
        failpoint!("accept");
        let received_at = (self.clock)();
        let appended = self.wal.append(body, received_at).await;
        failpoint!("accepted");
        appended.map_err(Refusal::NotSafe)?;
        self.metrics.delivery_waits(received_at);
        Ok(Answer::Stored)
    }

    async fn pair(&self, token: Token) -> Result<Answer, Refusal> {
        match self.tokens.pair(token.clone()).await {
            Ok(true) => Ok(Answer::Token {
                token: token.reveal(),
                newly_paired: true,
            }),
            Ok(false) => Err(Refusal::WrongToken),
            Err(error) => {
                tracing::error!(%error, "the token of a handshake could not be stored; pairing stays open");
                Err(Refusal::PairingFailed)
            }
        }
    }
}

/// What a well-formed body is worth.
enum Verdict {
    Store,
    /// A handshake with a token we know: the token itself.
    Greet(String),
    Pair(Token),
}

/// A request's part of the bytes that all requests hold, given back when it ends.
struct Pending<'a> {
    total: &'a AtomicUsize,
    bytes: usize,
}

impl Pending<'_> {
    fn add(&mut self, bytes: usize, limit: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        if self.total.fetch_add(bytes, Ordering::Relaxed) + bytes > limit {
            return Err(Refusal::OverCapacity);
        }
        Ok(())
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
