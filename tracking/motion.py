"""A Kalman filter with constant velocity, for many boxes at once. An instance belongs to one tracker.

Each of the four coordinates is filtered independently, with its velocity, so all boxes move with a few array
operations. Time is continuous: the noise of a step depends on its length (white-noise acceleration: Bar-Shalom, Li and
Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001, section 6.2.2), so one long step
equals many short ones, and changes of the rate and gaps do not matter. All noise is in units of the box size (the root
of its area): a distant object is small and moves few pixels. Variances are therefore independent of units and boxes.
"""

from __future__ import annotations

import math

import numpy as np

from tracking.boxes import Array, Flags, Indices

# Variances for centre x and y, width and height, in box sizes squared: of a detector's box, of the velocity of a box
# detected once (1/s), and of the change of velocity over a second (1/s).
_MEASUREMENT = np.array([0.05, 0.05, 0.1, 0.1]) ** 2
_FIRST_SPEED = np.array([1.0, 1.0, 0.3, 0.3]) ** 2
_ACCELERATION = np.array([1.0, 1.0, 0.5, 0.5]) ** 2
# Of a box that was moved by optical flow, added by each update.
_CARRIED = np.array([0.05, 0.05, 0.05, 0.05]) ** 2
# How much correlated innovations change the noise scale, per box and up to so many boxes; an innovation above the
# limit, in box sizes, is another object.
_SCALE_GAIN = 0.01
_SCALE_BOXES = 20
_SCALE_RANGE = (0.3, 2.0)
_LARGEST_INNOVATION = 0.5
_LEAST_STATE = np.array([-np.inf, -np.inf, 0.0, 0.0])


class MovingBoxes:
    """Positions and velocities of boxes, with their variances.

    Args:
        observed: `(N, 4)` centre x, centre y, width, height in pixels of boxes detected for the first time.
        agility: how quickly they change their velocity, as a factor of the default.
        adapts_noise: adapt the scale of the noise to the innovations.
    """

    def __init__(self, observed: Array, agility: Array | float = 1.0, *, adapts_noise: bool = False) -> None:
        self._acceleration = agility**2 * _ACCELERATION
        self._adapts_noise = adapts_noise
        self._noise_scale = 1.0
        # The last innovation of each box, x and y in box sizes; NaN if unknown.
        self._innovations = np.full((len(observed), 2), np.nan)
        # State, velocity, and their variance, covariance and velocity variance in one array: rows are selected at once.
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
        noise = self._noise_scale**2 * self._acceleration * elapsed_s
        variance, covariance, velocity_variance = self.variances
        self._table[0] = self.extrapolate(elapsed_s)
        variance += (2 * covariance + (velocity_variance + noise / 3) * elapsed_s) * elapsed_s
        covariance += (velocity_variance + noise / 2) * elapsed_s
        velocity_variance += noise

    def correct(self, rows: Indices, observed: Array) -> None:
        """Update the boxes `rows` (no duplicates) with observations `(len(rows), 4)`: centre x, y, width, height."""
        picked = self._table.take(rows, axis=1)
        state, velocity, variance, covariance, velocity_variance = picked
        total = variance + _MEASUREMENT
        gain, velocity_gain = variance / total, covariance / total
        innovation = observed - state
        if self._adapts_noise:
            self._adapt_noise(rows, innovation, state)
        state += gain * innovation
        velocity += velocity_gain * innovation
        velocity_variance -= velocity_gain * covariance
        picked[2:4] *= 1 - gain  # variance and covariance
        self._table[:, rows] = picked

    def _adapt_noise(self, rows: Indices, innovation: Array, state: Array) -> None:
        """Raise the noise if successive innovations have the same direction, lower it if they alternate.

        The innovations of a fitting filter are uncorrelated, whatever the noise is (Mehra, "On the Identification of
        Variances and Adaptive Kalman Filtering", IEEE Transactions on Automatic Control, 1970).
        """
        size = np.sqrt(np.maximum(state[:, 2] * state[:, 3], 1e-9))[:, None]
        now, before = innovation[:, :2] / size, self._innovations[rows]
        self._innovations[:] = np.nan
        self._innovations[rows] = now
        both = np.isfinite(before[:, 0]) & (np.abs(now).max(axis=1, initial=0.0) < _LARGEST_INNOVATION)
        now, before = now[both], before[both]
        power = float((now**2 + before**2).sum())
        if power > 0:
            alike = 2 * float((now * before).sum()) / power  # -1 to 1
            change = math.exp(_SCALE_GAIN * min(len(now), _SCALE_BOXES) * alike)
            self._noise_scale = min(max(self._noise_scale * change, _SCALE_RANGE[0]), _SCALE_RANGE[1])

    def carry(self, rows: Flags, places: Array, velocities: Array, elapsed_s: float) -> None:
        """Move boxes `elapsed_s` seconds (above 0) ahead by optical flow in place of their velocity.

        Args:
            rows: `(N,)`, mask of the boxes with optical flow; the others only `advance`.
            places: `(N, 4)` centre x, centre y, width, height after the move.
            velocities: `(N, 4)` in px/s, without the camera's motion.
            elapsed_s: seconds.
        """
        before = self.variances[:, rows]
        self.advance(elapsed_s)
        velocity = self._table[1]
        # Two positions of that variance give a velocity; the previous velocity is weighted by its variance.
        measured = 2 * _CARRIED / elapsed_s**2
        weight = self.variances[2][rows] / (self.variances[2][rows] + measured)
        velocity[rows] += weight * (velocities[rows] - velocity[rows])
        self.state[rows] = places[rows]
        self.variances[0][rows] = before[0] + _CARRIED
        self.variances[1][rows] = 0.0
        self.variances[2][rows] *= 1 - weight
        self._innovations[rows] = np.nan  # contains no information on how they accelerate

    def extrapolate(self, elapsed_s: float) -> Array:
        """`state` in `elapsed_s` seconds, which may be negative. Pure."""
        state = self.state + self.velocity * elapsed_s
        np.maximum(state, _LEAST_STATE, out=state)
        return state

    def expect(self, elapsed_s: float, doubt: float) -> Array:
        """The best estimate of `state` in `elapsed_s` seconds, which may be negative. Pure.

        A velocity that is hardly larger than its uncertainty is reduced (shrinkage towards rest: James and Stein,
        "Estimation with Quadratic Loss", 1961).

        Args:
            elapsed_s: seconds.
            doubt: weight of the uncertainty: 0 = none, inf = all boxes rest.
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
        """A copy of the boxes `rows`."""
        copied = MovingBoxes(np.empty((len(rows), 4)))
        copied._table = self._table.take(rows, axis=1)
        return copied

    def keep(self, rows: Flags) -> None:
        """Remove all boxes but those of a mask."""
        self._table = self._table[:, rows]
        self._innovations = self._innovations[rows]

    def append(self, other: MovingBoxes) -> None:
        """Append the boxes of `other`."""
        self._table = np.concatenate([self._table, other._table], axis=1)
        self._innovations = np.concatenate([self._innovations, other._innovations])
