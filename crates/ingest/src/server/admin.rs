//! Health, readiness and metrics, for those who run the service. Changes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use lake::Lake;
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use warp::Filter;
use warp::filters::path::FullPath;
use warp::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use warp::http::{Method, Response as HttpResponse, StatusCode};
use warp::reply::Response;

use super::answer::json;
use crate::metrics::{CONTENT_TYPE as METRICS_TYPE, Metrics};
use crate::wal::Wal;

/// How long the lake's answer stands, so that probes do not load it.
const LAKE_CHECK_AGE: Duration = Duration::from_secs(5);
const LAKE_CHECK_TIMEOUT: Duration = Duration::from_secs(2);
const JSON: &str = "application/json";

/// What the admin routes show.
pub(super) struct Admin {
    pub wal: Wal,
    pub lake: Lake,
    pub metrics: Metrics,
    pub clock: fn() -> DateTime<Utc>,
    /// True once the service no longer takes deliveries.
    pub stop: watch::Receiver<bool>,
    /// What keeps deliveries from the lake at present, if anything does.
    pub hindrance: watch::Receiver<Option<String>>,
    /// The lake's last answer, and when it came.
    pub lake_check: Mutex<Option<(Instant, Result<(), String>)>>,
}

/// The body of `/readyz`: for each part `ok`, or what is wrong.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    service: &'static str,
    wal: String,
    lake: String,
}

/// Answers every request, whatever its path.
pub(super) fn routes(
    admin: Arc<Admin>,
) -> impl Filter<Extract = (Response,), Error = std::convert::Infallible> + Clone + Send + Sync + 'static
{
    warp::method()
        .and(warp::path::full())
        .then(move |method: Method, path: FullPath| {
            let admin = Arc::clone(&admin);
            async move { admin.answer(&method, path.as_str()).await }
        })
}

impl Admin {
    async fn answer(&self, method: &Method, path: &str) -> Response {
        if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            let help = "there are /healthz, /readyz and /metrics";
            return response(StatusCode::NOT_FOUND, JSON, json("nothing is here", help));
        }
        if method != Method::GET && method != Method::HEAD {
            let message = json("this only shows", "use GET");
            let mut response = response(StatusCode::METHOD_NOT_ALLOWED, JSON, message);
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/healthz" => response(StatusCode::OK, JSON, "{\"alive\":true}".to_owned()),
            "/metrics" => {
                self.metrics.set_wal_bytes(self.wal.bytes());
                response(
                    StatusCode::OK,
                    METRICS_TYPE,
                    self.metrics.render((self.clock)()),
                )
            }
            _ => self.readiness().await,
        }
    }

    async fn readiness(&self) -> Response {
        let hindrance = self.hindrance.borrow().clone();
        let lake = match hindrance {
            Some(error) => Err(format!("deliveries cannot be brought to it: {error}")),
            None => self.lake_answers().await,
        };
        let wal = self.wal.check();
        let stopping = *self.stop.borrow();
        let ready = wal.is_ok() && lake.is_ok() && !stopping;
        let ok = || "ok".to_owned();
        let readiness = Readiness {
            ready,
            service: if stopping { "shutting down" } else { "ok" },
            wal: wal.err().map_or_else(ok, |error| error.to_string()),
            lake: lake.err().unwrap_or_else(ok),
        };
        let status = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        response(
            status,
            JSON,
            serde_json::to_string(&readiness).expect("texts and a bool serialise"),
        )
    }

    async fn lake_answers(&self) -> Result<(), String> {
        // Held while asking, so that many probes ask once.
        let mut check = self.lake_check.lock().await;
        if let Some((when, answer)) = check
            .as_ref()
            .filter(|(when, _)| when.elapsed() < LAKE_CHECK_AGE)
        {
            let _ = when;
            return answer.clone();
        }
        let answer = match tokio::time::timeout(LAKE_CHECK_TIMEOUT, self.lake.ping()).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!(
                "no answer within {} s",
                LAKE_CHECK_TIMEOUT.as_secs()
            )),
        };
        *check = Some((Instant::now(), answer.clone()));
        answer
    }
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response: Response = HttpResponse::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
