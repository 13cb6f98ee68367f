"""Rounds of tasks: on the workers of a Dask client, or one by one in this process."""

import sys
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from math import inf
from time import monotonic, sleep
from uuid import uuid4

from ._stopping import RowsLost

# Results are added up so many at a time.
BRANCHES = 16

# A round is repeated so often, if a worker was lost in a way that Dask does not mend.
ATTEMPTS = 3

# A task that brings more than this along is not sent again and again.
MOST_SENT = 2**16

# Seconds between looks at the scheduler, how long it may take to answer, and how long
# there may be no worker.
LOOK, ANSWER, WITHOUT_WORKERS = 5.0, 30.0, 120.0

# What Dask warns of if a graph is larger.
LARGE_GRAPH = "distributed.admin.large-graph-warning-threshold"

# What is kept in memory without a client.
LOCAL_BYTES = 64 * 2**20

# How tasks are done then.
LOCAL = {"scheduler": "synchronous"}


def current_client():
    """Return the client that Dask would use, or None."""
    # There is none unless someone has imported what it belongs to.
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        client = distributed.default_client()
    except ValueError:
        return None
    try:
        distributed.get_worker()
    except ValueError:
        return client
    # In a task: it would wait for tasks that wait for it.
    return None


def tree_sum(add, tasks):
    """Return the task that adds up the results of others, always in the same order."""
    while len(tasks) > 1:
        tasks = [add(tasks[i : i + BRANCHES]) for i in range(0, len(tasks), BRANCHES)]
    return tasks[0]


def called(function, *args):
    return function(*args)


def tasks_with(function, arguments, preferred=()):
    """Return a task for each tuple of arguments of a function, which may be large.

    Workers that are preferred get them in turn, but any other may do them.
    """
    from dask import annotate, delayed

    # One for all tasks: a function may carry megabytes of parameters.
    of_all = delayed(function, pure=False, traverse=False)
    call, name = delayed(called, pure=False), f"called-{uuid4().hex}"
    # Tasks are begun in the order of their names. If it were by chance, workers would
    # take groups from each other, and after some rounds have more or fewer of them.
    tasks = []
    for i, args in enumerate(arguments):
        where: dict = {}
        if preferred:
            worker = preferred[i % len(preferred)]
            where = {"workers": [worker], "allow_other_workers": True}
        with annotate(**where):
            tasks.append(call(of_all, *args, dask_key_name=f"{name}-{i:07}"))
    return tasks


def all_results(rounds, function, arguments):
    """Return what a function returns for each tuple of arguments, after one round."""
    from dask import delayed

    tasks = tasks_with(function, arguments)
    return rounds.result(delayed(list, pure=False)(tasks))


class Unread:
    """What a function makes of tasks that are done one after the other, when needed.

    They are graphs of their own, so that nobody does them ahead, or keeps the results.

    Parameters
    ----------
    function : callable(items) -> object
        Gets an iterator over tuples.
    n_rows : int
        What the function gets first.
    items : list of tuple of Delayed or None
    graphs : Graphs
    """

    def __init__(self, function, n_rows, items, graphs):
        self._graph: dict = {}
        self._function = partial(function, n_rows)
        self._keys = [[getattr(part, "key", None) for part in item] for item in items]
        for part in (part for item in items for part in item if part is not None):
            self._graph |= graphs.of(part)

    def __call__(self):
        from dask import get

        def computed(key):
            return None if key is None else get(self._graph, key)

        return self._function(tuple(map(computed, keys)) for keys in self._keys)

    def is_small(self):
        """Return whether it can go along with a task."""
        from distributed.protocol.pickle import dumps

        return len(dumps(self._graph)) <= MOST_SENT


class Graphs:
    """Finds the graphs of single tasks, in those of all that they come in."""

    def __init__(self):
        self._known = {}

    def of(self, task):
        """Return the graph of a task; KeyError if some of it is on a scheduler."""
        from dask.optimization import cull

        graph = task.dask
        if id(graph) not in self._known:
            # The graph is kept, so that its number stays its own.
            self._known[id(graph)] = graph, dict(graph)
        culled, _ = cull(self._known[id(graph)][1], [task.key])
        # What is on a scheduler is not in the graph, though others wait for it.
        needed = (getattr(node, "dependencies", ()) for node in culled.values())
        if not culled.keys() >= set().union(*needed):
            raise KeyError(task.key)
        return culled


class Rounds:
    """Where the tasks of a fit are done; Dask decides on which worker.

    All tasks are pure functions, and none belongs to a worker: what a lost one had is
    made again, by others, from what it was made of.

    Parameters
    ----------
    client : distributed.Client or None
        None is this process, where tasks are done one after the other, lest they take
        more memory together.
    """

    def __init__(self, client):
        self._client = client
        self._lost = ""

    @property
    def on_workers(self):
        """Whether there may be several workers, whoever they are."""
        return self._client is not None

    def memory(self):
        """Return how many bytes may be kept between rounds."""
        if self._client is None:
            return LOCAL_BYTES
        limits = [worker["memory_limit"] or inf for worker in self._workers().values()]
        return sum(limits) / 2

    def keep(self, function, groups):
        """Return what a function makes of each group of tasks, kept where it was made.

        Workers get as many each, as far as they are there.
        """
        from dask import persist

        if self._client is None:
            return list(persist(*tasks_with(function, groups), **LOCAL))
        tasks = tasks_with(function, groups, sorted(self._workers()))
        return self._client.persist(tasks)

    def again_and_again(self, function, groups):
        """Return what a function makes of each group of tasks, anew in each round.

        Groups are what `Unread` takes, in tuples: a number of rows, and items.
        """
        graphs = Graphs()
        try:
            unread = [Unread(function, n, items, graphs) for n, items in groups]
        except KeyError:
            unread = []
        if unread and (self._client is None or unread[0].is_small()):
            return unread
        return tasks_with(function, groups)

    def result(self, task, is_right=lambda result: True):
        """Return the result of a task, when it is right.

        Raises
        ------
        RowsLost
            If it can't be had: the scheduler does not answer, there have been no
            workers for two minutes, or several attempts have failed. From then on it is
            raised at once.
        """
        if self._lost:
            raise RowsLost(self._lost)
        try:
            return self._right_result(task, is_right)
        except RowsLost as error:
            self._lost = str(error)
            raise

    def _right_result(self, task, is_right):
        problem, cause = "its parts did not add up to all rows", None
        for attempt in range(ATTEMPTS):
            try:
                result = self._result(task)
            except (CancelledError, OSError, *_killed()) as error:
                problem, cause = f"{type(error).__name__}: {error}", error
                self._mend(task, attempt)
            except Exception:
                # Only a client that has given up itself fails otherwise.
                if self._client is None or self._client.status == "running":
                    raise
                self._workers()
            else:
                if is_right(result):
                    return result
        failed = f"a round over the rows failed {ATTEMPTS} times"
        raise RowsLost(f"{failed}, as {problem}") from cause

    def _mend(self, task, attempt):
        """Let what has failed be done again, after a while; RowsLost if nobody can."""
        if self._client is None:
            return
        from distributed.client import futures_of

        self._workers()
        sleep(attempt)
        # What is kept, and has failed for good, would fail again at once.
        failed = [future for future in futures_of(task) if future.status == "error"]
        if failed:
            self._client.retry(failed)

    def _result(self, task):
        if self._client is None:
            return task.compute(**LOCAL)
        import dask

        # Parameters go along, once for all workers.
        with dask.config.set({LARGE_GRAPH: "1TB"}):
            future = self._client.compute(task)
        since, timeout = monotonic(), LOOK
        with _released_if_left(future):
            while True:
                try:
                    return future.result(timeout=timeout)
                except TimeoutError:
                    if future.done():
                        # To get it here may take longer, but not for ever: it comes
                        # by way of the scheduler.
                        timeout *= 2
                    if self._workers():
                        since = monotonic()
                    elif monotonic() - since > WITHOUT_WORKERS:
                        raise RowsLost(
                            f"there has been no worker for {WITHOUT_WORKERS:.0f} s"
                        ) from None

    def _workers(self):
        """Return what is known of workers; RowsLost if the scheduler is gone."""
        client = self._client
        try:
            status = client.sync(client.scheduler.identity, callback_timeout=ANSWER)
        except Exception as error:
            # Whatever it is, as Dask has many names for it: nobody is there.
            raise RowsLost(
                f"Dask's scheduler does not answer: {type(error).__name__}: {error}"
            ) from error
        return status["workers"]


@contextmanager
def _released_if_left(future):
    """Let nobody go on with what nobody waits for, as after Ctrl-C."""
    try:
        yield
    except (KeyboardInterrupt, RowsLost):
        # To cancel it would be to wait for an answer, which may never come.
        future.release()
        raise


def _killed():
    distributed = sys.modules.get("distributed")
    return (distributed.KilledWorker,) if distributed else ()
