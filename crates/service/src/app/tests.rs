mod course;
mod faults;
mod flagging;
pub(crate) mod scene;
mod timer;
mod two_years;
mod work;
