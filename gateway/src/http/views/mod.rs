//! JSON that several endpoints write.
pub mod awards;
pub mod drawn;
pub mod left;
