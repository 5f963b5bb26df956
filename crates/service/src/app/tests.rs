mod course;
mod faults;
mod flagging;
mod letters;
pub(crate) mod scene;
mod timer;
mod two_years;
mod work;
