//! The reference for serving: a bare warp route that only parses the same body, in its own process.

use std::net::SocketAddr;

use serde::de::IgnoredAny;
use warp::Filter;

use crate::Result;

pub const ARGUMENT: &str = "bare-warp-route";

/// Serves until killed; prints the address.
pub fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let parse = |body: bytes::Bytes| match serde_json::from_slice::<IgnoredAny>(&body) {
            Ok(_) => "ok",
            Err(_) => "not JSON",
        };
        let route = warp::post()
            .and(warp::path("webhook"))
            .and(warp::body::bytes())
            .map(parse);
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        println!("{}", listener.local_addr()?);
        warp::serve(route).incoming(listener).run().await;
        Ok(())
    })
}
