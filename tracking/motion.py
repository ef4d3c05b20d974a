"""Constant velocity in seconds: a Kalman filter over many boxes at once. An instance belongs to one tracker.

Each of the four coordinates is filtered by itself, with its velocity, so that all boxes move with a few array
operations. Time is continuous: the noise of a step depends on its length (white-noise acceleration: Bar-Shalom, Li and
Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001, section 6.2.2), so that one long step
equals many short ones, and neither rate changes nor gaps matter. All noise is counted in the box's own size (the root
of its area): what is far away is small and moves few pixels. Variances therefore need no unit and no box.
"""

from __future__ import annotations

import math

import numpy as np

from tracking.boxes import Array, Flags, Indices

# Variances for centre x and y, width and height, in box sizes squared: of a detector's box, of the speed of a box seen
# once (1/s), and of the change of speed over a second (1/s).
_MEASUREMENT = np.array([0.05, 0.05, 0.1, 0.1]) ** 2
_FIRST_SPEED = np.array([1.0, 1.0, 0.3, 0.3]) ** 2
_ACCELERATION = np.array([1.0, 1.0, 0.5, 0.5]) ** 2
# Of a box that was carried along with the pictures, added by each update.
_PICTURED = np.array([0.05, 0.05, 0.05, 0.05]) ** 2
# How much a sequence of surprises changes the tempo, per box and up to so many boxes; a surprise of more than this many
# box sizes is another object.
_TEMPO_GAIN = 0.01
_TEMPO_BOXES = 20
_TEMPO_RANGE = (0.3, 2.0)
_LARGEST_SURPRISE = 0.5
_LEAST_STATE = np.array([-np.inf, -np.inf, 0.0, 0.0])


class MovingBoxes:
    """Where boxes are, where they go, and how sure that is.

    Args:
        observed: `(N, 4)` centre x, centre y, width, height in pixels of boxes seen for the first time.
        agility: how quickly they change their speed, as a fraction of what is usual.
        learns: whether `tempo` is learned.
    """

    def __init__(self, observed: Array, agility: Array | float = 1.0, *, learns: bool = False) -> None:
        self._acceleration = agility**2 * _ACCELERATION
        self._learns = learns
        self._tempo = 1.0
        # How far each was off where it was expected last time, x and y in box sizes; NaN where that is not known.
        self._surprises = np.full((len(observed), 2), np.nan)
        # State, velocity, and their variance, covariance and velocity variance: one array, to be picked from at once.
        self._table = np.empty((5, *observed.shape))
        for row, value in enumerate((observed, 0.0, _MEASUREMENT, 0.0, _FIRST_SPEED)):
            self._table[row] = value

    @property
    def state(self) -> Array:
        """`(N, 4)` centre x, centre y, width, height in pixels; may be written to."""
        state: Array = self._table[0]
        return state

    @property
    def velocity(self) -> Array:
        """`(N, 4)` of `state`, px/s."""
        velocity: Array = self._table[1]
        return velocity

    @property
    def variances(self) -> Array:
        """`(3, N, 4)` variance of `state`, covariance with `velocity`, variance of that; in box sizes and seconds."""
        variances: Array = self._table[2:]
        return variances

    def advance(self, elapsed_s: float) -> None:
        """Move all boxes `elapsed_s` seconds (0 or more) ahead."""
        noise = self._tempo**2 * self._acceleration * elapsed_s
        variance, covariance, velocity_variance = self.variances
        self._table[0] = self.extrapolate(elapsed_s)
        variance += (2 * covariance + (velocity_variance + noise / 3) * elapsed_s) * elapsed_s
        covariance += (velocity_variance + noise / 2) * elapsed_s
        velocity_variance += noise

    def correct(self, rows: Indices, observed: Array) -> None:
        """Take in what is seen now of the boxes `rows` (none twice): `(len(rows), 4)` centre x, y, width, height."""
        picked = self._table.take(rows, axis=1)
        state, velocity, variance, covariance, velocity_variance = picked
        total = variance + _MEASUREMENT
        gain, velocity_gain = variance / total, covariance / total
        surprise = observed - state
        if self._learns:
            self._learn_tempo(rows, surprise, state)
        state += gain * surprise
        velocity += velocity_gain * surprise
        velocity_variance -= velocity_gain * covariance
        picked[2:4] *= 1 - gain  # variance and covariance
        self._table[:, rows] = picked

    def _learn_tempo(self, rows: Indices, surprise: Array, state: Array) -> None:
        """Let boxes change their speed more quickly where they are off the same way twice, less where they swing back.

        A filter that fits is off by chance, whatever the noise is (Mehra, "On the Identification of Variances and
        Adaptive Kalman Filtering", IEEE Transactions on Automatic Control, 1970).
        """
        size = np.sqrt(np.maximum(state[:, 2] * state[:, 3], 1e-9))[:, None]
        now, before = surprise[:, :2] / size, self._surprises[rows]
        self._surprises[:] = np.nan
        self._surprises[rows] = now
        both = np.isfinite(before[:, 0]) & (np.abs(now).max(axis=1, initial=0.0) < _LARGEST_SURPRISE)
        now, before = now[both], before[both]
        power = float((now**2 + before**2).sum())
        if power > 0:
            alike = 2 * float((now * before).sum()) / power  # -1 to 1
            change = math.exp(_TEMPO_GAIN * min(len(now), _TEMPO_BOXES) * alike)
            self._tempo = min(max(self._tempo * change, _TEMPO_RANGE[0]), _TEMPO_RANGE[1])

    def carry(self, rows: Flags, places: Array, speeds: Array, elapsed_s: float) -> None:
        """Move boxes on by `elapsed_s` seconds, above 0, to where the pictures say that they went, not by velocity.

        Args:
            rows: `(N,)`, those that the pictures know; the others only `advance`.
            places: `(N, 4)` centre x, centre y, width, height where they went.
            speeds: `(N, 4)` of their own in px/s, the camera's left out.
            elapsed_s: seconds.
        """
        before = self.variances[:, rows]
        self.advance(elapsed_s)
        velocity = self._table[1]
        # Two places of which each is known that well tell the speed; what was known before counts by its variance.
        told = 2 * _PICTURED / elapsed_s**2
        weight = self.variances[2][rows] / (self.variances[2][rows] + told)
        velocity[rows] += weight * (speeds[rows] - velocity[rows])
        self.state[rows] = places[rows]
        self.variances[0][rows] = before[0] + _PICTURED
        self.variances[1][rows] = 0.0
        self.variances[2][rows] *= 1 - weight
        self._surprises[rows] = np.nan  # says nothing of how they change their speed

    def extrapolate(self, elapsed_s: float) -> Array:
        """`state` as it will be in `elapsed_s` seconds (as it was, where negative); changes nothing."""
        state = self.state + self.velocity * elapsed_s
        np.maximum(state, _LEAST_STATE, out=state)
        return state

    def expect(self, elapsed_s: float, doubt: float) -> Array:
        """`state` as it is best guessed for `elapsed_s` seconds later (or before); changes nothing.

        A velocity that is hardly larger than what is not known of it is no reason to leave the place (shrinkage towards
        rest: James and Stein, "Estimation with Quadratic Loss", 1961).

        Args:
            elapsed_s: seconds.
            doubt: how much that counts: 0 = nothing, inf = all boxes rest.
        """
        if math.isinf(doubt):
            return self.state.copy()
        area = np.maximum(self.state[:, 2] * self.state[:, 3], 0.0)[:, None]
        unknown = doubt * area * (self.variances[2] + _ACCELERATION * abs(elapsed_s))
        known = self.velocity**2
        share = known / np.maximum(known + unknown, 1e-12)
        state = self.state + self.velocity * share * elapsed_s
        expected: Array = np.maximum(state, _LEAST_STATE)
        return expected

    def copy_of(self, rows: Indices) -> MovingBoxes:
        """The boxes `rows` as they are now."""
        copied = MovingBoxes(np.empty((len(rows), 4)))
        copied._table = self._table.take(rows, axis=1)
        return copied

    def keep(self, rows: Flags) -> None:
        """Forget all but those picked by a mask."""
        self._table = self._table[:, rows]
        self._surprises = self._surprises[rows]

    def append(self, other: MovingBoxes) -> None:
        """Add those of `other` behind these."""
        self._table = np.concatenate([self._table, other._table], axis=1)
        self._surprises = np.concatenate([self._surprises, other._surprises])
