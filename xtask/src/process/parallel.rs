//! Work that does not wait for other work: one piece for each of many items, on as many threads as there are processors; or two
//! pieces.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow};

/// Works on all of `items`, as many at once as there are processors; results are in the order of `items`.
///
/// # Errors
/// The first error in that order.
pub fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let take = || -> Vec<(usize, Result<R>)> {
        let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        numbers.map_while(|number| Some((number, work(items.get(number)?)))).collect()
    };
    let mut results = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(take)).collect();
        let joined =
            running.into_iter().map(|thread| thread.join().map_err(|_panic| anyhow!("a thread panicked")));
        Ok::<Vec<_>, anyhow::Error>(joined.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })?;
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Works on both at once.
///
/// # Errors
/// That of `first`, else that of `second`.
pub fn both<A: Send, B>(
    first: impl FnOnce() -> Result<A> + Send,
    second: impl FnOnce() -> Result<B>,
) -> Result<(A, B)> {
    thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        let first = first.join().map_err(|_panic| anyhow!("a thread panicked"))?;
        Ok((first?, second?))
    })
}
