// SPDX-License-Identifier: MIT
//! How a service is declared: once, for those who call it and for those who serve it.

/// Makes a module of each service: `Client`, which calls, and `Server`, which is what serving it takes.
#[macro_export]
macro_rules! services {
    ($(
        $(#[$doc:meta])*
        $module:ident = $service:literal, $ram:literal, $caps:literal {
            $($(#[$does:meta])* $opcode:literal => $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*
        }
    )*) => {
        $(
            $(#[$doc])*
            pub mod $module {
                use super::*;

                /// The name by which sessions are asked for.
                pub const NAME: &str = $service;

                /// An object of this kind, as its callers have it.
                #[derive(Clone, Copy, Debug, PartialEq, Eq)]
                pub struct Client(pub $crate::Cap);

                impl $crate::rpc::Service for Client {
                    const NAME: &'static str = NAME;
                    const QUOTA: (u64, u64) = ($ram, $caps);
                    fn of(cap: $crate::Cap) -> Self {
                        Self(cap)
                    }
                }

                impl Client {
                    $(
                        $(#[$does])*
                        pub fn $name(self, $($argument: $type),*) -> $crate::Result<$crate::services!(@ $($result)?)> {
                            $crate::message::call(self.0, $opcode, &($($argument,)*))
                        }
                    )*
                }

                /// What serves an object of this kind.
                pub trait Server {
                    $(
                        $(#[$does])*
                        fn $name(&mut self, $($argument: $type),*) -> $crate::Result<$crate::services!(@ $($result)?)>;
                    )*

                    /// Has a call done by the operation that it asks for.
                    fn dispatch(&mut self, incoming: $crate::message::Incoming) -> $crate::message::Answered {
                        match incoming.opcode() {
                            $($opcode => incoming.answer(|($($argument,)*)| self.$name($($argument),*)),)*
                            _ => incoming.refuse($crate::Failure::NoSuchOperation),
                        }
                    }
                }
            }
        )*
    };
    (@) => { () };
    (@ $result:ty) => { $result };
}

/// What a session is asked for as.
pub trait Service {
    /// The name by which sessions are asked for.
    const NAME: &'static str;
    /// What a client gives for a session at first: RAM in bytes, and capabilities.
    const QUOTA: (u64, u64);
    /// The object that a capability stands for.
    fn of(cap: crate::Cap) -> Self;
}
