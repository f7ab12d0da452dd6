//! JSON for a chip without a heap: [`Value`] and [`Object`] lend slices of what came in, [`Window`] streams what goes out.
//!
//! Why our own: no maintained crate without a heap hands out *raw* values. `serde-json-core` reads into types that are
//! known when the program is compiled, and a command's payload is not; `picojson` and its like tokenise, but lend no
//! slice to pass on or to keep. What a device needs is less than either: is this document well formed, which slice of
//! it is the member of that name, and is this string equal to that one. That is all there is here.
//!
//! Nothing recurses and nothing is sized by the peer: nesting is bounded by [`MAX_DEPTH`], everything else by the slice.

mod error;
mod scan;
mod string;
mod value;
mod write;

pub use error::{JsonError, JsonErrorKind};
pub use scan::{MAX_DEPTH, validate};
pub use string::{Chars, JsonStr};
pub use value::{Members, Object, Value};
pub use write::Window;
