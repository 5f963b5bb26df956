mod faults;
pub(crate) mod scene;
mod work;
