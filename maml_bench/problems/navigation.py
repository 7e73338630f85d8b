"""Navigation in the plane, as in Appendix A of arXiv 2002.07836: the data are episodes, drawn under the parameter.

An agent starts at 0 and moves by a Gaussian policy; each action is clipped, the reward is minus the distance to the
task's goal after the move, and an episode ends early within a small square around the goal.

Estimates of the return's derivatives. Let r_t be the rewards, S_t the sum of the scores of the actions up to t, and
h_t that of the Hessians of their log-densities. With p_t(w) the likelihood ratio of the actions up to t, and any
function b of state and time, the sum over t of ``(r_t - b_t + gamma b_(t+1)) gamma^t p_t(w)`` has mean ``J(w) - b_0``,
whatever w: the terms in b telescope to ``gamma^t b_t (p_t - p_(t-1))``, of mean zero given the past. Loss, gradient and
Hessian-vector product are the derivatives of this one sum, so all are unbiased, and each is the derivative of the one
before; ``p_t`` has gradient ``p_t S_t`` and Hessian ``p_t (S_t S_t' + h_t)``. For a baseline fitted to the same
episodes the last statement holds and unbiasedness does not: an error of order 1/episodes remains.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analytic.arguments import generator, natural, one_of, positive, probability, settle, shown, vectors
from analytic.brief import brief
from maml_bench.arrays import fits
from maml_bench.problems.network import ReluNetwork

LINEAR, RELU = ReluNetwork((2, 2)), ReluNetwork((2, 100, 100, 2))
OBJECTIVES = ("return", "surrogate")
BASELINES = ("linear", "none")
RIDGE = 1e-5


@dataclass(frozen=True, eq=False)
class Navigation:
    """One goal a task. The parameter holds the network of the mean action, then the two log standard deviations.

    It has ``loss``, ``grad``, ``hvp`` and ``sample`` of every other family, but no population values and no
    certificate: there is no closed form, and the score of a Gaussian policy is not bounded.

    Parameters
    ----------
    goals : array (..., 2)
        Leading axes are task axes.
    policy : ReluNetwork
        From two to two; `LINEAR` (8 parameters in all) or `RELU` (10604), or another.
    objective : {"return", "surrogate"}
        ``"return"``: the loss is minus ``(1 - gamma) sum_t gamma^t r_t``, with the estimates above.
        ``"surrogate"``: the loss is minus the mean over steps of the advantage, normalized to mean 0 and variance 1,
        times the likelihood ratio of that step's action, as in the released program. Its value at the parameter where
        the episodes were drawn is 0, and its Hessian lacks the products of scores of different steps.
    horizon : int
        Steps after which an episode ends.
    discount : float
        gamma.
    clip, radius : float
        Largest move in a coordinate; half the side of the square where an episode ends.
    baseline : {"linear", "none"}
        ``"linear"`` regresses the rewards to come on state, its square and powers of time, over the batch.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> from maml_bench.problems import Navigation
    >>> tasks = Navigation(goals=np.array([[0.3, -0.2]]), horizon=10)
    >>> tasks.dim, tasks.batch_shape
    (8, (1,))
    """

    __repr__ = brief

    goals: np.ndarray
    policy: ReluNetwork = LINEAR
    objective: str = "return"
    horizon: int = 100
    discount: float = 0.95
    clip: float = 0.1
    radius: float = 0.01
    baseline: str = "linear"

    def __post_init__(self):
        settle(self, goals=vectors, horizon=natural, discount=probability, clip=positive, radius=positive)
        if self.goals.shape[-1] != 2:
            raise ValueError(f"goals has shape {self.goals.shape}: the last axis must be 2, a point of the plane")
        if not isinstance(self.policy, ReluNetwork) or (*self.policy.widths[:1], *self.policy.widths[-1:]) != (2, 2):
            raise ValueError(f"policy = {shown(self.policy)}: must be a ReluNetwork with 2 inputs and 2 outputs")
        for name, allowed in (("objective", OBJECTIVES), ("baseline", BASELINES)):
            one_of(name, getattr(self, name), allowed)

    @classmethod
    def random(cls, tasks: int, rng, **options) -> "Navigation":
        """Goals uniform in the square of half-side 1/2; ``options`` are the other arguments."""
        fits(2 * natural("tasks", tasks), f"tasks = {tasks}")
        return cls(generator("rng", rng).uniform(-0.5, 0.5, (tasks, 2)), **options)

    @property
    def dim(self) -> int:
        return self.policy.dim + 2

    @property
    def batch_shape(self) -> tuple[int, ...]:
        return self.goals.shape[:-1]

    def __getitem__(self, index) -> "Navigation":
        """The tasks at an index of the task axes."""
        return replace(self, goals=self.goals[index])

    def initial(self, rng: np.random.Generator, size: tuple[int, ...] = ()) -> np.ndarray:
        """Weights as in `ReluNetwork.initial`, standard deviations 1; shape (*size, dim)."""
        return np.concatenate([self.policy.initial(rng, size), np.zeros((*size, 2))], axis=-1)

    def sample(self, rng: np.random.Generator, w: np.ndarray, size: int) -> "Episodes":
        """``size`` episodes of the policy w, for each leading index of w and each task."""
        lead = np.broadcast_shapes(w.shape[:-1], self.batch_shape)
        return Episodes(self, w, rng.standard_normal((*lead, self.horizon, size, 2)))

    def loss(self, w: np.ndarray, sample: "Episodes") -> np.ndarray:
        if w is sample.w and self.objective == "return":
            return -(1 - self.discount) * sample.to_come[..., 0, :].mean(-1)
        scores = _Scores(self, w, sample)
        scores.slope(self.policy.value(w[..., :-2], sample.inputs))
        return -scores.weighted.sum((-2, -1)) - sample.offset

    def grad(self, w: np.ndarray, sample: "Episodes") -> np.ndarray:
        scores = _Scores(self, w, sample)
        mean = self.policy.gradient(w[..., :-2], sample.inputs, scores.slope)
        return np.concatenate([mean, scores.log_std], axis=-1)

    def hvp(self, w: np.ndarray, v: np.ndarray, sample: "Episodes") -> np.ndarray:
        scores = _Scores(self, w, sample, v[..., None, -2:])
        mean = self.policy.hvp(w[..., :-2], v[..., :-2], sample.inputs, scores.slope, scores.curvature)
        return np.concatenate([mean, scores.log_std_change], axis=-1)


class Episodes:
    """Episodes of a policy, simulated when made; ``-episodes`` are those of the opposite noise.

    Parameters
    ----------
    tasks : Navigation
    w : array (..., d)
        The parameter under which the actions are drawn.
    noise : array (..., horizon, size, 2)
        Standard normal; leading axes are those of w and the tasks together.

    Attributes
    ----------
    inputs, actions : array (..., horizon * size, 2)
        The states and the actions taken there, before clipping.
    rewards, alive : array (..., horizon, size)
        After its end an episode keeps still, its rewards are 0 and ``alive`` is false.
    log_density : array (..., horizon, size)
        Of the actions, without its constant.
    """

    def __init__(self, tasks: Navigation, w: np.ndarray, noise: np.ndarray):
        self.tasks, self.w, self.noise = tasks, w, noise
        lead, (horizon, size, _) = noise.shape[:-3], noise.shape[-3:]
        actions = noise * np.exp(w[..., None, None, -2:])
        states = np.empty_like(noise)
        self.rewards: np.ndarray = np.empty(noise.shape[:-1])
        self.alive: np.ndarray = np.empty(noise.shape[:-1], dtype=bool)
        goal = tasks.goals[..., None, :]
        position, running = np.zeros((*lead, size, 2)), np.ones((*lead, size), dtype=bool)
        for t in range(horizon):
            states[..., t, :, :], self.alive[..., t, :] = position, running
            action = actions[..., t, :, :]
            action += tasks.policy.value(w[..., :-2], position)
            position = position + np.clip(action, -tasks.clip, tasks.clip) * running[..., None]
            offset = position - goal
            self.rewards[..., t, :] = -np.sqrt(np.vecdot(offset, offset)) * running
            running = running & ~(np.abs(offset) < tasks.radius).all(-1)
        flat = (*lead, horizon * size, 2)
        self.inputs, self.actions = states.reshape(flat), actions.reshape(flat)
        self.log_density = -np.vecdot(noise, noise) / 2 - w[..., None, None, -2:].sum(-1)

    def __neg__(self) -> "Episodes":
        return Episodes(self.tasks, self.w, -self.noise)

    @property
    def total(self) -> np.ndarray:
        """Mean over episodes of the undiscounted return, shape (...)."""
        return self.rewards.sum(-2).mean(-1)

    @cached_property
    def to_come(self) -> np.ndarray:
        """Discounted rewards from each step on, shape (..., horizon, size)."""
        out = self.rewards.copy()
        for t in range(out.shape[-2] - 2, -1, -1):
            out[..., t, :] += self.tasks.discount * out[..., t + 1, :]
        return out

    @cached_property
    def baseline(self) -> np.ndarray:
        """The fitted rewards to come, shape (..., horizon, size); 0 after the end, and without a baseline."""
        if self.tasks.baseline == "none":
            return np.zeros_like(self.rewards)
        horizon, size = self.rewards.shape[-2:]
        time = np.repeat(np.arange(horizon) / 100, size)[:, None]
        shape = (*self.inputs.shape[:-1], 4)
        powers = np.broadcast_to(np.concatenate([time, time**2, time**3, np.ones_like(time)], axis=-1), shape)
        features = np.concatenate([self.inputs, self.inputs**2, powers], axis=-1)
        features *= self.alive.reshape(shape[:-1])[..., None]
        gram = features.swapaxes(-1, -2) @ features + RIDGE * np.eye(8)
        weights = np.linalg.solve(gram, features.swapaxes(-1, -2) @ self.to_come.reshape(shape[:-1])[..., None])
        return (features @ weights)[..., 0].reshape(self.rewards.shape)

    @cached_property
    def worth(self) -> np.ndarray:
        """What each likelihood ratio is worth, shape (..., horizon, size): the numbers C_t of the estimate
        ``loss = -sum C_t p_t``, up to a constant and divided by the number of episodes or steps.
        """
        advantage, size = self.to_come - self.baseline, self.rewards.shape[-1]
        if self.tasks.objective == "surrogate":
            steps = self.alive.sum((-2, -1), keepdims=True)
            deviation = (advantage - advantage.sum((-2, -1), keepdims=True) / steps) * self.alive
            return deviation / np.sqrt(np.square(deviation).sum((-2, -1), keepdims=True) * steps)
        advantage[..., :-1, :] -= self.tasks.discount * advantage[..., 1:, :]  # r_t - b_t + gamma b_(t+1)
        discount = self.tasks.discount ** np.arange(advantage.shape[-2])
        return (1 - self.tasks.discount) * discount[:, None] * advantage / size

    @cached_property
    def offset(self) -> np.ndarray:
        """The constant of the return estimate, from the baseline at the start, shape (...)."""
        if self.tasks.objective == "surrogate":
            return np.zeros(self.rewards.shape[:-2])
        return (1 - self.tasks.discount) * self.baseline[..., 0, :].mean(-1)


class _Scores:
    """Derivatives of the estimate in the outputs of the policy, and in the log standard deviations."""

    def __init__(self, tasks: Navigation, w: np.ndarray, sample: Episodes, log_std_move=0.0):
        self.sample, self.own, self.cumulative = sample, w is sample.w, tasks.objective == "return"
        self.log_std_now, self.log_std_move = w[..., None, -2:], log_std_move
        self.shape = sample.rewards.shape[-2:]

    def slope(self, outputs):
        """The derivative in the outputs (..., steps, 2); keeps that in the log standard deviations, ``log_std``."""
        self.z = (self.sample.actions - outputs) * np.exp(-self.log_std_now)
        self.weighted = self.sample.worth
        if not self.own:  # where the episodes were drawn the likelihood ratio is 1
            density = -np.vecdot(self.z, self.z) / 2 - self.log_std_now.sum(-1)
            ratio = self._in_time(density) - self.sample.log_density
            self.weighted = self.weighted * np.exp(np.cumsum(ratio, axis=-2) if self.cumulative else ratio)
        advantage = _to_come(self.weighted) if self.cumulative else self.weighted
        self.advantage = self._flat(advantage)
        self.log_std = -(self.advantage * (self.z**2 - 1)).sum(-2)
        return -self.advantage * self.z * np.exp(-self.log_std_now)

    def curvature(self, outputs, change):
        """The change of `slope` along a change of outputs and log standard deviations; keeps the latter's part."""
        relative = change * np.exp(-self.log_std_now)
        along = self.z * relative + (self.z**2 - 1) * self.log_std_move
        along = self._in_time(along[..., 0] + along[..., 1])
        # The derivative of p_t is p_t times the sum of the scores up to t.
        change = _to_come(self.weighted * np.cumsum(along, axis=-2)) if self.cumulative else self.weighted * along
        change = self._flat(change)
        both = relative + self.z * self.log_std_move
        self.log_std_change = (2 * self.advantage * self.z * both - change * (self.z**2 - 1)).sum(-2)
        mean = self.advantage * (both + self.z * self.log_std_move) - change * self.z
        return mean * np.exp(-self.log_std_now)

    def _in_time(self, values):
        return values.reshape(*values.shape[:-1], *self.shape)

    def _flat(self, values):
        return values.reshape(*values.shape[:-2], -1, 1)


def _to_come(values):
    """Sums from each step on, over the second last axis."""
    return np.cumsum(values[..., ::-1, :], axis=-2)[..., ::-1, :]
