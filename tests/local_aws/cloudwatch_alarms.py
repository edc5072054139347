"""When CloudWatch would ring: a model of its alarms, over datapoints that a test hands in.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html

Invariant: an alarm sees whole periods alone, the last EvaluationPeriods of them. CloudWatch also looks at some periods
before these where data is missing; by how many it does not say, and the tests' margins are wider.
"""

import collections

OK, ALARM, UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"
STATISTICS = {"Sum": sum, "Maximum": max, "Minimum": min, "SampleCount": len}
COMPARISONS = {"GreaterThanThreshold": lambda value, threshold: value > threshold,
               "LessThanThreshold": lambda value, threshold: value < threshold}


class Figures:
    """The datapoints of metrics, in seconds of the test's own clock."""

    def __init__(self):
        self._points = collections.defaultdict(list)

    def put(self, at, namespace, name, value, **dimensions):
        self._points[namespace, name, frozenset(dimensions.items())].append((at, float(value)))

    def put_line(self, at, line):
        """The metrics that CloudWatch makes of a line of its embedded metric format.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
        """
        for group in line["_aws"]["CloudWatchMetrics"]:
            for names in group["Dimensions"]:
                for metric in group["Metrics"]:
                    self.put(at, group["Namespace"], metric["Name"], line[metric["Name"]],
                             **{name: line[name] for name in names})

    def names(self, namespace):
        return {name for of, name, _ in self._points if of == namespace}

    def statistic(self, metric, statistic, begin, end):
        """The statistic over that time, or None where there is no datapoint."""
        dimensions = frozenset((one["Name"], one["Value"]) for one in metric.get("Dimensions", []))
        values = [value for at, value in self._points.get((metric["Namespace"], metric["MetricName"], dimensions), [])
                  if begin <= at < end]
        return STATISTICS[statistic](values) if values else None


def period(alarm):
    if "Metrics" not in alarm:
        return int(alarm["Period"])
    [seconds] = {one["MetricStat"]["Period"] for one in alarm["Metrics"] if "MetricStat" in one}
    return int(seconds)


def value(alarm, figures, begin, end):
    """What the alarm watches, in the period from begin to end; None where it is missing."""
    if "Metrics" not in alarm:
        return figures.statistic(alarm, alarm["Statistic"], begin, end)
    metrics = {one["Id"]: figures.statistic(one["MetricStat"]["Metric"], one["MetricStat"]["Stat"], begin, end)
               for one in alarm["Metrics"] if "MetricStat" in one}
    [expression] = [one["Expression"] for one in alarm["Metrics"] if one.get("ReturnData", True)]
    functions = {"METRICS": lambda: list(metrics.values()), "SUM": sum_of,
                 "FILL": lambda array, filler: [filler if one is None else one for one in array]}
    return eval(expression, {"__builtins__": {}}, functions | metrics)  # the template's own text


def sum_of(array):
    present = [one for one in array if one is not None]
    return sum(present) if present else None


def state(alarm, figures, made, now, before):
    """The state of an alarm that was made at `made` and was in the state `before`, by the figures up to now."""
    length, count = period(alarm), int(alarm["EvaluationPeriods"])
    end = now - now % length
    values = [value(alarm, figures, end - length * (back + 1), end - length * back) for back in range(count)]
    warm_up = alarm.get("WarmUpConfiguration", {})
    is_warming_up = now < made + warm_up.get("WarmUpPeriodDurationInMinutes", 0) * 60
    if is_warming_up and (warm_up.get("OnlyStartEvaluatingAfterWarmUpPeriodEnds", False) or None in values):
        return UNKNOWN
    missing = alarm["TreatMissingData"]
    if missing == "ignore" and all(one is None for one in values):
        return before
    breaching = [missing == "breaching" if one is None else
                 COMPARISONS[alarm["ComparisonOperator"]](one, float(alarm["Threshold"]))
                 for one in values if not (one is None and missing == "ignore")]
    return ALARM if sum(breaching) >= int(alarm.get("DatapointsToAlarm", count)) else OK


def history(alarm, figures, made, until, every=60):
    """The changes of state from when the alarm was made: [(time, state), …]."""
    found, now = [(made, UNKNOWN)], made
    while now <= until:
        its = state(alarm, figures, made, now, found[-1][1])
        if its != found[-1][1]:
            found.append((now, its))
        now += every
    return found


def rings(alarm, figures, made, until):
    """When it goes to ALARM."""
    return [at for at, its in history(alarm, figures, made, until) if its == ALARM]
