"""A Mayfly and a real Prometheus that scrape the same."""

import json

from harness.http import call, data
from harness.mayfly import Mayfly
from harness.peers import Prometheus

FEATURES = "--enable-feature=exemplar-storage,native-histograms,extra-scrape-metrics"


class Both:
    """A Mayfly and a Prometheus with the same file."""

    def __init__(self, folder, config: dict):
        self.file = folder / "scraped.yml"
        self.write(config)
        self.mayfly = Mayfly(folder, folder / "data", flags=("--scrape-config", self.file)).start()
        # the other one takes five seconds before it begins
        self.prometheus = Prometheus(folder, config=self.file, flags=(FEATURES, "--web.enable-lifecycle"))
        self.urls = [self.prometheus.url, self.mayfly.query]

    def write(self, config: dict):
        # JSON is YAML, and both read it
        self.file.write_text(json.dumps(config))

    def reload(self, config: dict):
        self.write(config)
        assert call(self.prometheus.url, "POST", "/-/reload").status == 200
        self.mayfly.process.hang_up()

    def targets(self, url: str) -> dict[str, dict]:
        return {target["scrapePool"] + " " + target["scrapeUrl"]: target for target in data(url, "targets")["activeTargets"]}

    def scraped(self, url: str) -> int:
        return sum(target["health"] != "unknown" for target in self.targets(url).values())

    def stop(self):
        self.prometheus.process.stop()
        self.mayfly.stop()
