"""Random native histograms and floats, with stale markers, and queries about them.

Three things that 3.5 does otherwise than 3.14 would differ nearly everywhere, so the data keep away from them, and the test files of 3.14
(`mayfly test promql`) show them instead. `rate` and `increase` of a histogram that would be below zero at the start of the window (3.14
extrapolates to zero at most, as for floats): counters begin high, and lower after each reset, gauges are left out. And which side a zero
bucket belongs to (a histogram whose chunk has buckets on a side is taken as having some there): sides are used from the start or never. And `changes` of histograms that are equal, but in another
layout of buckets: what is observed grows each time."""

import random

from harness.remote_write import GAUGE, Histogram, sample, stale_histogram

LENGTH_MS = 40 * 60_000
BOUNDS = [(0.1, 0.5, 1.0, 5.0), (0.1, 1.0, 5.0, 10.0), (0.5, 2.0)]


class Data:
    """Points of series by their time, so that they can be sent in order of time."""

    def __init__(self, seed: int, start_ms: int):
        self.rng, self.start_ms = random.Random(seed), start_ms
        self.points: list[tuple[int, tuple, bytes]] = []
        for job in ("a", "b"):
            for instance in ("0", "1", "2"):
                labels = {"job": job, "instance": instance}
                self.exponential(labels | {"__name__": "n"})
                self.gauge_histograms(labels | {"__name__": "n_gauge"})
                self.custom(labels | {"__name__": "nhcb"})
                self.floats(labels | {"__name__": "g"}, counter=False)
                self.floats(labels | {"__name__": "c_total"}, counter=True)
                if instance == "0":
                    self.mixed(labels | {"__name__": "mixed"})
        self.points.sort(key=lambda point: point[0])
        # the first points come first, in order of labels: Prometheus goes by the order in which it met series where values tie
        first: dict = {}
        for point in self.points:
            first.setdefault(point[1], point)
        self.points = [first[labels] for labels in sorted(first)] + [point for point in self.points if first[point[1]] is not point]

    def times(self) -> list[int]:
        rng, interval_ms = self.rng, self.rng.choice([15_000, 30_000, 60_000])
        at_ms, times = rng.randrange(interval_ms), []
        while at_ms < LENGTH_MS:
            times.append(self.start_ms + at_ms)
            at_ms += interval_ms * (rng.randrange(2, 15) if rng.random() < 0.04 else 1)
        return times

    def put(self, labels: dict, at_ms: int, point: bytes):
        self.points.append((at_ms, tuple(sorted(labels.items())), point))

    def ends(self) -> bool:
        return self.rng.random() < 0.03

    def exponential(self, labels: dict):
        """A counter that starts anew now and then, coarser or finer than before."""
        rng = self.rng
        has_negative, schema, threshold = rng.random() < 0.4, rng.choice([-1, 0, 1, 3]), rng.choice([0, 0.001])
        high = 16_000
        counts = ({0: high}, {0: high} if has_negative else {})
        zero, total = 0, 0.0
        for at_ms in self.times():
            if self.ends():
                self.put(labels, at_ms, stale_histogram(at_ms))
                continue
            if rng.random() < 0.06:
                high = high * 5 // 8
                counts = ({1: high}, {1: high} if has_negative else {})
                zero, total, schema = 0, 0.0, rng.choice([-1, 0, 1, 3])
            for _ in range(rng.randrange(1, 6)):
                side = counts[1] if has_negative and rng.random() < 0.3 else counts[0]
                index = rng.randrange(-3, 6)
                side[index] = side.get(index, 0) + rng.randrange(1, 9)
                total += rng.randrange(1, 64) / 16
            zero += rng.randrange(3) if threshold else 0
            histogram = Histogram(total, dict(counts[0]), dict(counts[1]), schema, zero, threshold)
            self.put(labels, at_ms, histogram.encode(at_ms))

    def gauge_histograms(self, labels: dict):
        rng = self.rng
        for at_ms in self.times():
            if self.ends():
                self.put(labels, at_ms, stale_histogram(at_ms))
                continue
            counts = {index: float(rng.randrange(1, 40)) / 4 for index in rng.sample(range(-2, 6), rng.randrange(1, 6))}
            self.put(labels, at_ms, Histogram(rng.randrange(-99, 99) / 8, counts, schema=1, hint=GAUGE).encode(at_ms))

    def custom(self, labels: dict):
        """A counter with bounds of its own, which change now and then."""
        rng, high, total = self.rng, 16_000, 0.0
        bounds, counts = BOUNDS[0], {1: high}
        for at_ms in self.times():
            if rng.random() < 0.02:
                high = high * 5 // 8
                bounds, counts, total = rng.choice(BOUNDS), {1: high}, 0.0
            for _ in range(rng.randrange(1, 5)):
                index = rng.randrange(len(bounds) + 1)
                counts[index] = counts.get(index, 0) + rng.randrange(1, 5)
                total += rng.randrange(1, 32) / 8
            self.put(labels, at_ms, Histogram(total, dict(counts), schema=-53, bounds=bounds).encode(at_ms))

    def floats(self, labels: dict, counter: bool):
        value = 0.0
        for at_ms in self.times():
            value = value + self.rng.randrange(30) / 4 if counter else self.rng.randrange(-900, 900) / 16
            self.put(labels, at_ms, sample(at_ms, None if self.ends() else value))

    def mixed(self, labels: dict):
        """Floats and histograms in turn."""
        rng, is_float, observed = self.rng, False, 1_000
        for at_ms in self.times():
            is_float ^= rng.random() < 0.1
            observed += rng.randrange(9)
            histogram = Histogram(2.5 * observed, {0: observed, 1: 2 * observed})
            self.put(labels, at_ms, sample(at_ms, float(observed)) if is_float else histogram.encode(at_ms))

    def requests(self) -> list[list]:
        """Series for one request after the other. Of a series one holds floats or histograms only: Prometheus takes the floats first."""
        requests: list[dict] = [{}]
        for _, labels, point in self.points:
            before = requests[-1].get(labels)
            # the first byte is the tag of a float or of a histogram
            if before and (before[-1][0] != point[0] or len(before) >= 50):
                requests.append({})
            requests[-1].setdefault(labels, []).append(point)
        return [[(dict(labels), points) for labels, points in series.items()] for series in requests]


RANGES = ["1m", "90s", "5m", "7m", "11m"]
GROUPINGS = ["by (job)", "by (instance)", "by ()", "without (instance)", "without ()"]
MATCHERS = ["", "", '{job="a"}', '{instance=~"0|1"}', '{job!="a"}']


class Queries:
    def __init__(self, seed: int):
        self.rng = random.Random(seed)

    def one(self, of):
        return self.rng.choice(of)

    def name(self) -> str:
        return self.one(["n", "n", "n", "n_gauge", "nhcb", "nhcb", "mixed", "g", "c_total"])

    def counter(self) -> str:
        return self.one(["n", "n", "n", "nhcb", "nhcb", "mixed", "c_total"])

    def selector(self) -> str:
        offset = self.one(["", "", "", " offset 1m", " offset 5m"])
        return f"{self.name()}{self.one(MATCHERS)}{offset}"

    def matrix(self, inside: bool = False) -> str:
        if not inside and self.rng.random() < 0.15:
            return self.subquery(self.vector(0, inside=True))
        return f"{self.name()}{self.one(MATCHERS)}[{self.one(RANGES)}]"

    def counters(self) -> str:
        if self.rng.random() < 0.15:
            return self.subquery(self.counter() + self.one(MATCHERS))
        return f"{self.counter()}{self.one(MATCHERS)}[{self.one(RANGES)}]"

    def subquery(self, inner: str) -> str:
        return f"({inner})[{self.one(RANGES)}:{self.one(['30s', '1m', '17s'])}]"

    def histograms(self, depth: int) -> str:
        """Something with histograms, mostly."""
        if depth == 0:
            return self.selector()
        match self.rng.randrange(6):
            case 0:
                return f"{self.one(['rate', 'increase'])}({self.counters()})"
            case 1:
                return f"{self.one(['irate', 'delta', 'idelta'])}({self.matrix()})"
            case 2:
                windows = ["sum_over_time", "avg_over_time", "last_over_time", "first_over_time"]
                return f"{self.one(windows[:3])}({self.matrix()})"
            case 3:
                return f"{self.one(['sum', 'avg'])} {self.one(GROUPINGS)} ({self.histograms(depth - 1)})"
            case 4:
                return f"({self.histograms(depth - 1)}) {self.one(['*', '/'])} {self.one(['2', '0.5', '-1', '0'])}"
            case _:
                return self.join()

    def join(self) -> str:
        op = self.one(["+", "-", "+", "-", "*", "/", "==", "!=", ">", "and", "or", "unless"])
        matching = self.one(["", "on (job, instance)", "ignoring (nothing)"])
        return f"{self.name()} {op} {matching} {self.name()}{self.one(MATCHERS)}"

    def vector(self, depth: int, inside: bool = False) -> str:
        """`inside` of a subquery there is no other, since 3.5 reuses memory of histograms too early there, no `topk`, since what stays of
        equal values is not defined, and no `-`, since resets of negative buckets depend on the layout as well."""
        inner = self.histograms(depth)
        match self.rng.randrange(14):
            case 8 if inside:
                return inner
            case 0:
                return f"histogram_quantile({self.one(['0.5', '0.9', '0', '1', '0.01', '2', '-1'])}, {inner})"
            case 1:
                return f"histogram_fraction({self.one(['0', '-1', '0.3', '-Inf'])}, {self.one(['2', '0.7', '+Inf'])}, {inner})"
            case 2 | 3:
                functions = ["histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"]
                return f"{self.one(functions)}({inner})"
            case 4:
                windows = ["count_over_time", "present_over_time", "changes", "resets", "min_over_time", "quantile_over_time"]
                function = self.one(windows)
                return f"{function}({'0.5, ' if function.startswith('quantile') else ''}{self.matrix(inside)})"
            case 5:
                return f"{self.one(['count', 'group', 'min', 'max', 'stddev'])} {self.one(GROUPINGS)} ({inner})"
            case 6:
                return f"{self.one(['abs', 'ceil', 'sgn', 'sgn' if inside else '-'])}({inner})"
            case 7:
                return f"{self.one(['absent', 'timestamp', 'sort', 'sort_desc'])}({inner})"
            case 8:
                return f"{self.one(['topk', 'bottomk'])}(2, {inner})"
            case 9:
                return f'label_replace({inner}, "to", "$1", "job", "(.*)")'
            case 10:
                return f'count_values("v", {self.name()})'
            case _:
                return inner

    def query(self) -> str:
        return self.vector(self.rng.randrange(3))
