//! Memory for what is received: bodies as they come, inflated, and as what they become, of all requests that are worked on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

/// How much there is usually: twice what one request may want, whose body is inflated to 64 MiB and counted four times, would be more
/// than small machines have; and who is alone may have more.
pub const ROOM_BYTES_MAX: usize = 256 << 20;

/// Memory that requests share, whichever way they come. A request that finds nobody else in it gets all it wants: what one request may
/// want has limits of its own.
#[derive(Debug)]
pub struct Room {
    bytes_max: usize,
    taken: AtomicUsize,
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "requests that are being worked on take {taken} bytes, and {wanted} more are more than {max}, which is received_bytes_max: try again later"
)]
pub struct NoRoom {
    /// What others and the request itself have.
    pub taken: usize,
    /// What it wants besides.
    pub wanted: usize,
    /// The limit.
    pub max: usize,
}

/// A body that was not received.
#[derive(Debug)]
pub enum Unreceived<E> {
    /// It is larger than allowed.
    TooLarge,
    /// There is no room for it.
    NoRoom(NoRoom),
    /// It did not come.
    Failed(E),
}

impl<E> From<NoRoom> for Unreceived<E> {
    fn from(full: NoRoom) -> Self {
        Self::NoRoom(full)
    }
}

impl NoRoom {
    /// The setting whose value is exceeded.
    pub const LIMIT: &str = "received_bytes_max";
}

impl Room {
    /// Room for so many bytes.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, taken: AtomicUsize::new(0) })
    }

    /// How many bytes are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// A place in it, which takes nothing yet.
    pub fn place(self: &Arc<Self>) -> Place {
        Place { room: Arc::clone(self), bytes: 0 }
    }

    /// The whole of a body of at most `bytes_max` bytes, and its place. What has come counts, not what is announced, so that senders who
    /// announce much and send nothing are in nobody's way; but what is announced and finds no room is not waited for.
    ///
    /// # Errors
    /// If it did not come, is too large, or finds no room.
    pub async fn receive<B: Body<Data = Bytes> + Unpin>(
        self: &Arc<Self>,
        mut body: B,
        bytes_max: usize,
    ) -> Result<(Bytes, Place), Unreceived<B::Error>> {
        let mut place = self.place();
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > bytes_max {
            return Err(Unreceived::TooLarge);
        }
        place.could_grow(announced)?;
        // most bodies come in one piece, which is not copied
        let (mut first, mut all) = (Bytes::new(), BytesMut::new());
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(Unreceived::Failed)?.into_data() else { continue };
            if piece.len() > bytes_max - first.len() - all.len() {
                return Err(Unreceived::TooLarge);
            }
            place.grow(piece.len())?;
            if first.is_empty() && all.is_empty() {
                first = piece;
                continue;
            }
            if all.is_empty() {
                all.reserve(announced.max(first.len() + piece.len()));
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&piece);
        }
        Ok((if all.is_empty() { first } else { all.freeze() }, place))
    }

    /// Whether so many bytes more would find room.
    fn fits(&self, own: usize, taken: usize, more: usize) -> bool {
        taken == own || taken.saturating_add(more) <= self.bytes_max
    }
}

/// What one request takes, until it is dropped.
#[derive(Debug)]
pub struct Place {
    room: Arc<Room>,
    bytes: usize,
}

impl Place {
    /// Takes more.
    ///
    /// # Errors
    /// If there is not so much; what was taken stays.
    pub fn grow(&mut self, more: usize) -> Result<(), NoRoom> {
        let Self { room, bytes } = self;
        let grown = |taken: usize| room.fits(*bytes, taken, more).then(|| taken.saturating_add(more));
        match room.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown) {
            Ok(_) => {
                *bytes += more;
                Ok(())
            }
            Err(taken) => Err(NoRoom { taken, wanted: more, max: room.bytes_max }),
        }
    }

    /// Whether it could take more now, without doing so: what is going to be refused need not be received.
    ///
    /// # Errors
    /// If it could not.
    pub fn could_grow(&self, more: usize) -> Result<(), NoRoom> {
        let taken = self.room.taken();
        if self.room.fits(self.bytes, taken, more) {
            return Ok(());
        }
        Err(NoRoom { taken, wanted: more, max: self.room.bytes_max })
    }

    /// Gives back what is beyond this.
    pub fn shrink_to(&mut self, bytes: usize) {
        let spare = self.bytes.saturating_sub(bytes);
        self.room.taken.fetch_sub(spare, Ordering::Relaxed);
        self.bytes -= spare;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Piece = Result<http_body::Frame<Bytes>, std::convert::Infallible>;

    fn pieces(sizes: &[usize]) -> impl Body<Data = Bytes, Error = std::convert::Infallible> + Unpin + use<> {
        let frame = |size: &usize| -> Piece { Ok(http_body::Frame::data(vec![b'x'; *size].into())) };
        let frames: Vec<Piece> = sizes.iter().map(frame).collect();
        http_body_util::StreamBody::new(futures::stream::iter(frames))
    }

    #[tokio::test]
    async fn what_comes_is_counted_as_it_comes() {
        let room = Room::new(100);
        let mut other = room.place();
        other.grow(50).expect("there is room");
        for sizes in [&[][..], &[10], &[10, 20], &[10, 0, 20, 20]] {
            let (whole, _place) = room.receive(pieces(sizes), 60).await.expect("is received");
            let sum: usize = sizes.iter().sum();
            assert_eq!((whole.len(), room.taken()), (sum, 50 + sum));
        }
        for sizes in [&[51][..], &[30, 21], &[30, 20, 1]] {
            assert!(matches!(room.receive(pieces(sizes), 60).await, Err(Unreceived::NoRoom(_))), "{sizes:?}");
            assert_eq!(room.taken(), 50);
        }
        let announced = |size: usize| http_body_util::Full::new(Bytes::from(vec![0; size]));
        assert!(matches!(room.receive(announced(51), 60).await, Err(Unreceived::NoRoom(_))));
        assert!(matches!(room.receive(announced(61), 60).await, Err(Unreceived::TooLarge)));
        drop(other);
        assert!(room.receive(pieces(&[30, 30]), 60).await.is_ok());
        assert!(matches!(room.receive(pieces(&[30, 31]), 60).await, Err(Unreceived::TooLarge)));
    }

    #[test]
    fn requests_share_it() {
        let room = Room::new(100);
        let (mut a, mut b) = (room.place(), room.place());
        assert_eq!((a.grow(60), b.grow(40), room.taken()), (Ok(()), Ok(()), 100));
        let full = NoRoom { taken: 100, wanted: 1, max: 100 };
        assert_eq!((a.grow(1), b.could_grow(1), room.taken()), (Err(full), Err(full), 100));
        assert!(full.to_string().contains(NoRoom::LIMIT));
        b.shrink_to(10);
        assert_eq!(
            (a.grow(31).is_err(), a.could_grow(30), a.grow(30), room.taken()),
            (true, Ok(()), Ok(()), 100)
        );
        drop(b);
        assert_eq!(room.taken(), 90);
        // who is alone is not refused
        assert_eq!((a.could_grow(1_000), a.grow(1_000), room.taken()), (Ok(()), Ok(()), 1_090));
        let mut c = room.place();
        assert!(c.grow(1).is_err());
        drop(a);
        assert_eq!((c.grow(101), room.taken()), (Ok(()), 101));
        drop(c);
        assert_eq!(room.taken(), 0);
    }
}
