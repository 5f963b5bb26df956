//! The desk's timer: it looks at what has fallen due, again and again, until it is told to stop.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::{Desk, clock::Clock};

/// Ticks every so often, by the clock given, until `told` is. What fell due while nothing ran is found by the first tick.
pub async fn keep_ticking(
    desk: Desk,
    clock: Arc<dyn Clock>,
    every: Duration,
    told: impl Future<Output = ()>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(told);
    loop {
        tokio::select! {
            () = &mut told => return,
            _ = ticks.tick() => {}
        }
        match desk.tick(clock.now()).await {
            Ok(done) if !done.failed.is_empty() => {
                tracing::warn!(cases = done.failed.len(), "some cases could not be advanced");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(code = error.code(), "what fell due could not be looked at"),
        }
    }
}
