//! A fixed array that is consumed at the front and filled at the back, without moving its items.

/// `N` items, numbered from the front; taking `n` from the front renumbers the rest.
///
/// Every access is checked: an index that is out of bounds reads nothing and writes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Wheel<T, const N: usize> {
    items: [T; N],
    /// Where item 0 is; always below `N`.
    front: usize,
}

impl<T: Copy, const N: usize> Wheel<T, N> {
    pub(crate) const fn new(blank: T) -> Self {
        Self { items: [blank; N], front: 0 }
    }

    /// Place of item `index` in the array.
    fn place(&self, index: usize) -> Option<usize> {
        if index >= N {
            return None;
        }
        let place = self.front.saturating_add(index);
        Some(place.checked_sub(N).unwrap_or(place))
    }

    pub(crate) fn get(&self, index: usize) -> Option<T> {
        self.items.get(self.place(index)?).copied()
    }

    pub(crate) fn set(&mut self, index: usize, item: T) {
        if let Some(item_there) = self.place(index).and_then(|place| self.items.get_mut(place)) {
            *item_there = item;
        }
    }

    /// The `length` items from `index` on, in two pieces; fewer when the wheel ends before.
    pub(crate) fn pieces(&self, index: usize, length: usize) -> (&[T], &[T]) {
        let length = length.min(N.saturating_sub(index));
        let (back, front) = self
            .place(index)
            .and_then(|place| self.items.split_at_checked(place))
            .map_or((&[][..], &[][..]), |(before, after)| (before, after));
        let first = front.get(..length).unwrap_or(front);
        let second = back.get(..length.saturating_sub(first.len())).unwrap_or(&[]);
        (first, second)
    }

    /// Puts `items` at `index` and after; what does not fit is left out.
    pub(crate) fn write(&mut self, index: usize, items: &[T]) {
        let items = items.get(..N.saturating_sub(index)).unwrap_or(items);
        if let Some((before, after)) =
            self.place(index).and_then(|place| self.items.split_at_mut_checked(place))
        {
            let rest = copy(after, items);
            copy(before, rest);
        }
    }

    /// Takes `count` items from the front; the numbers of the rest go down by as many, and
    /// as many blank ones are added at the back.
    pub(crate) fn advance(&mut self, count: usize, blank: T) {
        for _ in 0..count.min(N) {
            self.set(0, blank);
            self.front = self.place(1).unwrap_or(0);
        }
    }

    /// [`Wheel::advance`] without blanking: what comes in at the back is whatever was there.
    pub(crate) fn skip(&mut self, count: usize) {
        self.front = self.place(count).unwrap_or(self.front);
    }
}

/// Copies as much of `from` as fits and returns the rest of it.
pub(crate) fn copy<'a, T: Copy>(to: &mut [T], from: &'a [T]) -> &'a [T] {
    let count = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..count), from.get(..count)) {
        // Of one length, so it cannot panic.
        to.copy_from_slice(from);
    }
    from.get(count..).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_order_around_the_end() {
        let mut wheel = Wheel::<u8, 5>::new(0);
        wheel.write(0, &[1, 2, 3, 4, 5]);
        wheel.advance(3, 0);
        wheel.write(2, &[6, 7, 8, 9]);
        let (first, second) = wheel.pieces(0, 9);
        assert_eq!((first, second), (&[4, 5][..], &[6, 7, 8][..]));
        assert_eq!(wheel.pieces(1, 2), (&[5][..], &[6][..]));
        assert_eq!(wheel.get(4), Some(8));
        assert_eq!(wheel.get(5), None);
        wheel.set(9, 1);
        assert_eq!(wheel.pieces(5, 1), (&[][..], &[][..]));
    }

    #[test]
    fn advancing_blanks() {
        let mut wheel = Wheel::<u8, 3>::new(0);
        wheel.write(0, &[1, 2, 3]);
        wheel.advance(2, 9);
        assert_eq!(wheel.pieces(0, 3), (&[3][..], &[9, 9][..]));
        wheel.advance(7, 8);
        assert_eq!((wheel.get(0), wheel.get(2)), (Some(8), Some(8)));
    }

    #[test]
    fn copying_returns_what_did_not_fit() {
        let mut to = [0; 2];
        assert_eq!(copy(&mut to, &[1, 2, 3]), &[3]);
        assert_eq!(to, [1, 2]);
        assert_eq!(copy(&mut to, &[4]), &[]);
        assert_eq!(to, [4, 2]);
    }
}
