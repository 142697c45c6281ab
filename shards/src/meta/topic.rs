//! How a topic is declared.

/// Declares a topic, and the method of `Meta` that returns it.
macro_rules! topic {
    ($(#[$doc:meta])* $name:ident, $(#[$method_doc:meta])* $method:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<'m, D: crate::store::Database>(pub(super) &'m super::connections::Meta<D>);

        impl<D: crate::store::Database> super::connections::Meta<D> {
            $(#[$method_doc])*
            pub fn $method(&self) -> $name<'_, D> {
                $name(self)
            }
        }
    };
}

pub(super) use topic;
