mod course;
mod faults;
pub(crate) mod scene;
mod timer;
mod two_years;
mod work;
