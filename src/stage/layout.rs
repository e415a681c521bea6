//! How the items of a batch are laid out in a network's inputs and outputs.

use crate::error::Result;
use crate::network::Rows;
use crate::tensor::{make_room, resize};

/// The axes of an item in this crate's order, and whether the network has the channels last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) item: &'a [usize],
    pub(super) channels_last: bool,
}

/// A tensor whose items are joined to the samples along an axis. Its items stand one behind the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joined<'a> {
    pub(super) values: &'a [f32],
    /// The length of an item.
    pub(super) length: usize,
    /// Whether it stands before the sample.
    pub(super) before: bool,
}

impl Order<'_> {
    /// The number of values of an item.
    pub(super) fn length(self) -> usize {
        self.item.iter().product()
    }

    /// Writes the network's shape of so many items to `shape`, with or without a batch axis. The axis `longer.0` is
    /// longer by `longer.1`.
    pub(super) fn shape(self, count: usize, batched: bool, longer: (usize, usize), shape: &mut Vec<usize>) {
        shape.clear();
        shape.extend(batched.then_some(count));
        shape.extend_from_slice(self.item);
        let own = &mut shape[usize::from(batched)..];
        own[longer.0] += longer.1;
        if self.channels_last {
            own.rotate_left(1);
        }
    }

    /// Lays out the `rows` of `values` in the network's order, times `factor`, with what is joined to them along
    /// `axis`. Returns them as they are where that is possible, else in `room`. Items repeat where there are fewer than
    /// rows. Without any item the values are zeros.
    pub(super) fn lay_out<'a>(
        self,
        values: &'a [f32],
        rows: Rows,
        factor: f32,
        (axis, joined): (usize, impl Iterator<Item = Joined<'a>> + Clone),
        room: &'a mut [Vec<f32>; 2],
    ) -> Result<&'a [f32]> {
        let (length, is_alone) = (self.length(), joined.clone().next().is_none());
        let [room, item] = room;
        let run = match rows {
            Rows::Run(first, count) => Some((first, count)),
            Rows::Pair([first, second]) => (second == first + 1).then_some((first, 2)),
        };
        if let (Some((first, count)), false, true) = (run, self.channels_last, is_alone)
            && factor == 1.0
            && let Some(values) = values.get(first * length..(first + count) * length)
        {
            return Ok(values);
        }
        room.clear();
        if values.is_empty() {
            resize(room, rows.len() * length, 0.0)?;
            return Ok(room);
        }
        let whole = length + joined.clone().map(|joined| joined.length).sum::<usize>();
        make_room(room, rows.len() * whole)?;
        let blocks: usize = self.item[..axis].iter().product();
        // Joining along another axis leaves the channels as they are.
        let rest = self.item[1..].iter().product::<usize>().max(1);
        let channels = if axis == 0 { whole / rest } else { self.item[0] };
        for row in rows.items() {
            let own = &values[row % (values.len() / length) * length..][..length];
            let to = if self.channels_last { &mut *item } else { &mut *room };
            if self.channels_last {
                to.clear();
                make_room(to, whole)?;
            }
            for block in 0..blocks {
                let of_side = |side: bool| joined.clone().filter(move |joined| joined.before == side);
                let part = |joined: Joined<'a>| {
                    let length = joined.length / blocks;
                    &joined.values[row * joined.length + block * length..][..length]
                };
                of_side(true).for_each(|joined| to.extend_from_slice(part(joined)));
                let own = &own[block * (length / blocks)..][..length / blocks];
                to.extend(own.iter().map(|value| value * factor));
                of_side(false).for_each(|joined| to.extend_from_slice(part(joined)));
            }
            if self.channels_last {
                let places = whole / channels;
                room.extend((0..whole).map(|at| item[at % channels * places + at / channels]));
            }
        }
        Ok(room)
    }

    /// The network's output for an item, in this crate's order. It is returned as it is where that is possible, else in
    /// `room`.
    pub(super) fn read<'a>(self, said: &'a [f32], doubled: usize, room: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        if !self.channels_last {
            return Ok(said);
        }
        let channels = self.item[0] * doubled;
        let places = said.len() / channels;
        room.clear();
        make_room(room, said.len())?;
        room.extend((0..said.len()).map(|at| said[at % places * channels + at / places]));
        Ok(room)
    }
}
