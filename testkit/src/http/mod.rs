//! A small HTTP/1.1 client for tests. It sends requests exactly as a test writes them, also wrong
//! ones, and reads answers strictly.
mod api;
mod connection;
mod request;
mod response;

pub use self::api::{Envelope, ask_all};
pub use self::connection::Connection;
pub use self::request::Request;
pub use self::response::Response;
