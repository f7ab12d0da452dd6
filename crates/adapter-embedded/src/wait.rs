//! Waiting for one of several things, without an executor's types.

use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;

/// Which of two futures came first.
pub(crate) enum Either<A, B> {
    Left(A),
    Right(B),
}

/// The first of two futures, the left one if both are ready. The other one is dropped: it must bear that.
pub(crate) async fn first<A, B>(left: impl Future<Output = A>, right: impl Future<Output = B>) -> Either<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|cx| {
        if let Poll::Ready(a) = left.as_mut().poll(cx) {
            return Poll::Ready(Either::Left(a));
        }
        right.as_mut().poll(cx).map(Either::Right)
    })
    .await
}

/// Polls three loops in turn, as one future, until one of them ends.
pub(crate) async fn join<T>(
    mut a: Pin<&mut impl Future<Output = T>>,
    mut b: Pin<&mut impl Future<Output = T>>,
    mut c: Pin<&mut impl Future<Output = T>>,
) -> T {
    poll_fn(|cx| {
        if let done @ Poll::Ready(_) = a.as_mut().poll(cx) {
            return done;
        }
        if let done @ Poll::Ready(_) = b.as_mut().poll(cx) {
            return done;
        }
        c.as_mut().poll(cx)
    })
    .await
}

/// Lets the other loops and the other tasks go first, once: a transport that is always ready must starve nobody.
pub(crate) async fn pause() {
    let mut paused = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
