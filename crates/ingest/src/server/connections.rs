//! Connections: accepted up to a limit, each with its timeouts, all ended in good order. Knows no route.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::answer::json;
use super::config::HttpLimits;
use super::refusals::Peer;
use super::seats::{Place, Seat, Seats};
use super::tls::Tls;
use crate::metrics::Metrics;

/// Beyond the limit, so many connections at a time are told so; any more are just closed.
const TURNED_AWAY_AT_ONCE: usize = 64;
/// A connection that is turned away need not be patient.
const TURNED_AWAY_TIMEOUT: Duration = Duration::from_secs(2);
/// Wait after the system refused to accept, most likely for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How to treat connections.
#[derive(Clone)]
pub(super) struct Connections {
    pub limits: HttpLimits,
    pub tls: Option<Tls>,
    pub metrics: Metrics,
    /// True when no more connections are to be accepted and open ones end with the request at hand.
    pub stop: watch::Receiver<bool>,
    /// After the stop, connections still open at the end of this are dropped.
    pub grace: Duration,
}

/// Whether a connection is served or told to come back.
enum Admission {
    Served(Seat),
    TurnedAway(OwnedSemaphorePermit),
}

impl Admission {
    /// Resolves when the seat has gone to somebody else.
    async fn leave(&self) {
        match self {
            Admission::Served(seat) => seat.place.leave().await,
            Admission::TurnedAway(_) => std::future::pending().await,
        }
    }
}

impl Connections {
    /// Serves until the stop, then until the last connection has ended.
    pub async fn serve<S>(mut self, listener: TcpListener, service: S)
    where
        S: HttpService<Incoming> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::ResBody: Send + 'static,
        <S::ResBody as Body>::Data: Send,
        <S::ResBody as Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let seats = Seats::new(self.limits.max_connections);
        let porch = Arc::new(Semaphore::new(TURNED_AWAY_AT_ONCE));
        let mut open = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = open.join_next() => continue,
                () = stopped(&mut self.stop) => break,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted; are there enough file handles?");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Answers are small and complete: waiting to fill a packet only adds delay.
            let _ = stream.set_nodelay(true);
            let admission = match (seats.take(), Arc::clone(&porch).try_acquire_owned()) {
                (Some(seat), _) => Admission::Served(seat),
                (None, Ok(place)) => Admission::TurnedAway(place),
                (None, Err(_)) => {
                    self.metrics.connection_refused();
                    continue;
                }
            };
            let service = told_its_peer(service.clone(), Peer(address.ip()));
            open.spawn(self.clone().connection(stream, admission, service));
        }
        drop(listener);
        let deadline = Instant::now() + self.grace;
        while let Ok(Some(_)) = tokio::time::timeout_at(deadline, open.join_next()).await {}
        if !open.is_empty() {
            tracing::warn!(
                connections = open.len(),
                "connections that did not end in time are dropped"
            );
        }
    }

    async fn connection<S>(self, stream: TcpStream, admission: Admission, service: S)
    where
        S: HttpService<Incoming> + Clone + Send,
        S::Future: Send,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::ResBody: 'static,
        <S::ResBody as Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Some(tls) = self.tls.clone() else {
            return self.admitted(stream, admission, service).await;
        };
        let patience = match &admission {
            Admission::Served(_) => self.limits.header_timeout,
            Admission::TurnedAway(_) => TURNED_AWAY_TIMEOUT.min(self.limits.header_timeout),
        };
        let handshake = tokio::time::timeout(patience, tls.acceptor().accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = admission.leave() => {
                return tracing::debug!("a connection without a TLS handshake made room");
            }
        };
        match shaken {
            Ok(Ok(stream)) => self.admitted(stream, admission, service).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn admitted<T, S>(self, stream: T, admission: Admission, service: S)
    where
        T: AsyncRead + AsyncWrite + Unpin,
        S: HttpService<Incoming> + Clone,
        S::Future: Send,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::ResBody: 'static,
        <S::ResBody as Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_header_size(self.limits.max_header_bytes)
            .max_buf_size(self.limits.max_header_bytes.max(64 << 10));
        match admission {
            Admission::Served(seat) => {
                let driven = self.drive(http, stream, seen_from(&seat.place, service));
                tokio::select! {
                    () = driven => {}
                    () = seat.place.leave() => tracing::debug!("an idle connection made room"),
                }
            }
            Admission::TurnedAway(_place) => {
                self.metrics.connection_refused();
                http.keep_alive(false)
                    .header_read_timeout(TURNED_AWAY_TIMEOUT);
                self.drive(http, stream, service_fn(turn_away)).await;
            }
        }
    }

    async fn drive<T, S>(mut self, http: http1::Builder, stream: T, service: S)
    where
        T: AsyncRead + AsyncWrite + Unpin,
        S: HttpService<Incoming>,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::ResBody: 'static,
        <S::ResBody as Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = stopped(&mut self.stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// Brings every request with the address it comes from.
fn told_its_peer<S>(
    service: S,
    peer: Peer,
) -> impl HttpService<Incoming, ResBody = S::ResBody, Error = S::Error, Future = S::Future> + Clone
where
    S: HttpService<Incoming> + Clone,
{
    service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        service.clone().call(request)
    })
}

/// The place knows of each request, and each request of its place.
fn seen_from<S>(
    place: &Arc<Place>,
    service: S,
) -> impl HttpService<Incoming, ResBody = S::ResBody, Error = S::Error, Future: Send>
where
    S: HttpService<Incoming> + Clone,
    S::Future: Send,
{
    let place = Arc::clone(place);
    service_fn(move |mut request: Request<Incoming>| {
        place.request_began();
        request.extensions_mut().insert(Arc::clone(&place));
        let answer = service.clone().call(request);
        let place = Arc::clone(&place);
        async move {
            let answer = answer.await;
            place.request_ended();
            answer
        }
    })
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Without a sender nobody serves any more, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn turn_away(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let message = json(
        "too many connections",
        "try again shortly; the limit is a setting of the service",
    );
    let mut response = Response::new(Full::new(Bytes::from(message)));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    Ok(response)
}
