//! Independent work in parallel: a list of items on as many threads as there are processors, a list of items with a
//! thread for each, two tasks, or the two halves of a list.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow};

use crate::process::failure::is_transient;

/// Works on all of `items`, as many at a time as there are processors. The results are in the order of `items`.
///
/// # Errors
/// The first error, in the order of `items`.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let take = || -> Vec<(usize, Result<R>)> {
        let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        numbers.map_while(|number| Some((number, work(items.get(number)?)))).collect()
    };
    let mut results = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(take)).collect();
        let joined = running.into_iter().map(|thread| joined(thread.join()));
        Ok::<Vec<_>, anyhow::Error>(joined.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })?;
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Works on all of `items` at once, each on its own thread: for a few items that wait for a server. The results are
/// in the order of `items`.
///
/// # Errors
/// The first error, in the order of `items`.
pub fn at_once<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let work = &work;
    thread::scope(|scope| {
        let running: Vec<_> = items.iter().map(|item| scope.spawn(move || work(item))).collect();
        let results: Vec<_> = running.into_iter().map(|thread| joined(thread.join()).flatten()).collect();
        results.into_iter().collect()
    })
}

/// Runs two tasks in parallel and returns both results.
///
/// # Errors
/// Those of the two tasks. When both fail, the error names both. Its class is that of the first error, unless only the
/// first error is transient: then it is that of the second.
pub fn both<A: Send, B: Send>(
    first: impl FnOnce() -> Result<A> + Send,
    second: impl FnOnce() -> Result<B> + Send,
) -> Result<(A, B)> {
    thread::scope(|scope| {
        let second = scope.spawn(second);
        let first = first();
        let second = joined(second.join())?;
        match (first, second) {
            // A retry for the transient error is pointless while the other one remains.
            (Err(first), Err(second)) if is_transient(&first) && !is_transient(&second) => {
                Err(second.context(format!("{first:#}; also")))
            }
            (Err(first), Err(second)) => Err(first.context(format!("{second:#}; also"))),
            (first, second) => Ok((first?, second?)),
        }
    })
}

/// Works on the two halves of `items` in parallel, for work that cannot fail. The results are in the order of `items`.
///
/// # Panics
/// When the work does.
pub fn halves<T: Sync, R: Send>(items: &[T], work: impl Fn(&[T]) -> Vec<R> + Sync) -> Vec<R> {
    let (first, second) = items.split_at(items.len() / 2);
    thread::scope(|scope| {
        let second = scope.spawn(|| work(second));
        let mut results = work(first);
        results.extend(second.join().unwrap_or_else(|panic| resume_unwind(panic)));
        results
    })
}

/// The result of a thread. A panic becomes an error with the panic's message and a request to report it, because only
/// the developers of `xtask` can fix it.
///
/// # Errors
/// When the thread panicked.
pub fn joined<T>(result: thread::Result<T>) -> Result<T> {
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let words = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message");
        anyhow!("a defect of xtask itself; report it with this line and those above: {words}")
    })
}

#[cfg(test)]
mod tests {
    use super::{at_once, both, halves, joined};
    use crate::process::failure::{Transient, is_transient};
    use anyhow::{Result, bail};

    #[test]
    fn a_panic_becomes_an_error_with_the_panics_message() {
        let of = |work: fn()| joined(std::thread::spawn(work).join()).map_err(|error| error.to_string());
        assert_eq!(of(|| {}), Ok(()));
        for work in [(|| panic!("at byte {}", 7)) as fn(), || panic!("at byte 7")] {
            let error = of(work).unwrap_err();
            assert!(error.ends_with(": at byte 7") && error.contains("report it"), "{error}");
        }
    }

    #[test]
    fn at_once_works_on_all_items_concurrently_and_keeps_their_order() {
        // Each waits until all three have begun.
        let begun = std::sync::Barrier::new(3);
        let work = |number: &u32| {
            begun.wait();
            Ok(number * 2)
        };
        assert_eq!(at_once(&[3, 1, 2], work).unwrap(), [6, 2, 4]);
        let odd = |number: &u32| if number % 2 == 1 { bail!("{number}") } else { Ok(()) };
        assert_eq!(at_once(&[2, 3, 1], odd).unwrap_err().to_string(), "3");
    }

    #[test]
    fn halves_become_one_list_in_the_same_order() {
        for length in 0..5 {
            let items: Vec<_> = (0..length).collect();
            let half = length / 2;
            let work = |part: &[usize]| {
                assert!(part == &items[..half] || part == &items[half..]);
                part.to_vec()
            };
            assert_eq!(halves(&items, work), items);
        }
    }

    #[test]
    fn both_reports_the_errors_and_is_transient_only_if_both_errors_are() {
        assert_eq!(both(|| Ok(1), || Ok(2)).unwrap(), (1, 2));
        assert!(both(|| Ok(1), || -> Result<()> { bail!("no") }).is_err());
        let error = both(|| -> Result<()> { bail!("one") }, || -> Result<()> { bail!("two") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "two; also: one");
        assert!(both(|| -> Result<()> { bail!("no") }, || Ok(2)).is_err());
        let away = || -> Result<()> { Err(Transient::new("away").into()) };
        assert!(!is_transient(&both(away, || -> Result<()> { bail!("no") }).unwrap_err()));
        assert!(is_transient(&both(away, away).unwrap_err()));
    }
}
