//! A small HTTP/1.1 client for tests. It sends what a test wants to send, whether or not that is
//! right, and reads answers without helping the server.
mod api;
mod connection;
mod request;
mod response;

pub use self::api::{Envelope, ask_all};
pub use self::connection::Connection;
pub use self::request::Request;
pub use self::response::Response;
