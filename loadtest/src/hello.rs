//! A bare HTTP server with a fixed response: the rate of the edge if a draw cost nothing.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::error::Error;
use crate::target::parse_listen;

/// As long as the response to a real draw.
const ANSWER: &[u8] = br#"{"code":"0000","info":"success","requestId":"0123456789abcdef01234567","data":{"awardId":101,"awardTitle":"Random points","awardIndex":1,"orderId":"7123456789012345678"}}"#;

#[derive(Debug, Args)]
pub(crate) struct HelloArgs {
    /// The loopback address to listen on; port 0 takes a free one.
    #[arg(long, value_parser = parse_listen)]
    pub(crate) listen: SocketAddr,
}

/// `loadtest hello`, on the multi-thread runtime with its defaults, like the gateway.
pub(crate) fn command(args: &HelloArgs) -> Result<(), Error> {
    let listen = args.listen;
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Error::io("runtime", e))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|e| Error::io(listen.to_string(), e))?;
        let address = listener
            .local_addr()
            .map_err(|e| Error::io(listen.to_string(), e))?;
        println!("listening {address}");
        // Spawned, so that the accept loop runs on a worker thread too.
        let serving = tokio::spawn(serve(listener, || ()));
        let Err(error) = serving.await;
        Err(Error::io("accept loop", error.into()))
    })
}

/// Serves until it is dropped, and calls `on_answer` for each request.
pub(crate) async fn serve(
    listener: TcpListener,
    on_answer: impl Fn() + Clone + Send + 'static,
) -> Infallible {
    loop {
        // An accept fails by a fault of the client, or by too many open files, which ends.
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_connection(stream, on_answer.clone()));
        } else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

async fn serve_connection(stream: TcpStream, on_answer: impl Fn() + Clone) {
    // If this fails, responses are late, which the figures show.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        on_answer();
        answer(request)
    });
    // The driver counts broken connections.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let method = request.method().clone();
    request.into_body().collect().await?;
    if method != Method::POST {
        let mut refusal = Response::new(Full::default());
        *refusal.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        return Ok(refusal);
    }
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}
