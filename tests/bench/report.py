"""Tables of distributions."""
import statistics


def percentile(values, share):
    """Nearest rank: an actual value, also of few."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-len(ordered) * share // 100) - 1))]


class Report:
    def __init__(self):
        self.values = {}

    def title(self, text):
        print(f"\n{text}", flush=True)

    def distribution(self, name, label, values, unit="ms"):
        """One line: median, 95th percentile, longest, and the values when they are few."""
        self.values[name] = {"unit": unit, "values": values}
        if not values:
            print(f"   {label:<44} no values", flush=True)
            return
        few = "  (" + " ".join(f"{value:.0f}" for value in values) + ")" if len(values) <= 10 else ""
        print(f"   {label:<44} median {statistics.median(values):8.1f}  p95 {percentile(values, 95):8.1f}  "
              f"max {max(values):8.1f} {unit}  n={len(values)}{few}", flush=True)

    def value(self, name, label, value, unit):
        self.values[name] = {"unit": unit, "value": value}
        print(f"   {label:<44} {value:15.2f} {unit}", flush=True)

    def skipped(self, name, reason):
        self.values[name] = {"skipped": reason}
        print(f"   {name}: skipped: {reason}", flush=True)
