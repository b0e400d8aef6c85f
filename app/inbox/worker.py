"""The worker: threads that claim due events and process them, lease renewal, clean shutdown. It knows no event type."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

from app.db.database import Database, DatabaseUnavailable
from app.db.wakeups import CommitWatch, Listener
from app.inbox import clock_steps, leases, locked_lanes, queue
from app.inbox.dispatch import Buried, Handlers, process_job
from app.inbox.job import DbSlot, Job
from app.inbox.periodic import PeriodicRunner
from app.inbox.queue import Claimed
from app.logs import Sparingly, describe_error

RENEW_SECONDS = 5.0
POLL_SECONDS = 1.0  # for what nobody tells: a lease that has ended, a word that was lost
WATCH_SECONDS = 0.1  # nobody tells a worker on SQLite, unless it is in the process that stores
DRAIN_POLL_SECONDS = 0.1
LEAST_PAUSE_SECONDS = 0.01
IDLE_SECONDS = 30.0  # of a thread that is not the one that looks; whoever claims something calls the next

log = logging.getLogger("parley.worker")


class Beside(Protocol):
    """What has threads of its own and is started and stopped with the worker."""

    def start(self) -> None:
        """Start and return."""

    def ask_to_stop(self) -> None:
        """Begin nothing more."""

    def stop(self, timeout_seconds: float) -> bool:
        """Wait for the end; return whether it came."""


class Worker:
    """Threads that claim lanes and work on their oldest events until stopped.

    `handlers` names a function for each class of event, `make_bot` gives what that needs beside the event; `warm_up`
    is called once in every thread.
    `is_awaited` says whether somebody outside will soon make a lane due: draining and stopping wait for that.
    `on_tick` is called every few seconds while it works, and at the end. `buried` is told of each event that dies,
    `beside` started and stopped with it; `after_drain` is called when the inbox has been drained.
    One idle thread looks for work every `poll_seconds`, the others wait until they are called: by this process or,
    on PostgreSQL, by any that makes a lane ready; on SQLite it looks, too, soon after anybody has written. There only
    one thread at a time has the db slot, the others are on the network: more could write no faster, and would take the
    processor from those who answer Twilio.
    """

    def __init__(
        self,
        db: Database,
        handlers: Handlers,
        make_bot: Callable[[Job], Any],
        *,
        threads: int = 8,
        poll_seconds: float | None = None,
        warm_up: Callable[[], None] = lambda: None,
        is_awaited: Callable[[], bool] = lambda: False,
        on_tick: Callable[[], None] = lambda: None,
        periodic: PeriodicRunner | None = None,
        buried: Buried = lambda _tx, _claimed, _reason: None,
        beside: Beside | None = None,
        after_drain: Callable[[], None] = lambda: None,
    ) -> None:
        self._db, self._handlers, self._make_bot = db, handlers, make_bot
        self._warm_up, self._is_awaited = warm_up, is_awaited
        self._on_tick, self._after_drain, self._buried = on_tick, after_drain, buried
        self._beside: list[Beside] = [one for one in (periodic, beside) if one]
        self._clock = clock_steps.Watch(db)
        self._poll_seconds = poll_seconds or POLL_SECONDS
        self._listener = None if db.is_sqlite else Listener(db, self.wake)
        self._commit_watch = CommitWatch(db) if db.is_sqlite else None
        self._db_slot = DbSlot(one_at_a_time=db.is_sqlite)
        self._stopping = threading.Event()
        self._stopped = threading.Event()
        self._calls = threading.Condition()
        self._called = 0
        self._troubles = Sparingly(log)
        self._polling = threading.Lock()
        self._busy: dict[str, Claimed] = {}
        self._busy_lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, name=f"worker-{n}", daemon=True) for n in range(threads)]
        self._renewer = threading.Thread(target=self._renew, name="worker-leases", daemon=True)

    def start(self) -> None:
        """Start the threads and return."""
        for thread in [*self._threads, self._renewer]:
            thread.start()
        if self._listener:
            self._listener.start()
        for one in self._beside:
            one.start()

    def wake(self) -> None:
        """Say that there is work; an idle thread looks at once."""
        with self._calls:
            self._called = min(self._called + 1, len(self._threads))
            self._calls.notify()

    def ask_to_stop(self) -> None:
        """Let nothing more be claimed; what is begun goes on."""
        self._stopping.set()
        if self._listener:
            self._listener.ask_to_stop()
        for one in self._beside:
            one.ask_to_stop()

    def stop(self, timeout_seconds: float = 25.0) -> bool:
        """Claim nothing more and wait for what is being worked on; return whether all of it was finished.

        What is not finished in time stays leased, and is taken up again when its lease ends.
        """
        self.ask_to_stop()
        with self._calls:
            self._calls.notify_all()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        while self._is_awaited() and time.monotonic() < deadline:
            self._stopped.wait(0.05)
        for one in self._beside:
            one.stop(deadline - time.monotonic())
        self._end_renewing()
        if self._listener:
            self._listener.stop()
        if self._commit_watch and self._polling.acquire(blocking=False):
            self._commit_watch.close()
            self._polling.release()
        return not any(thread.is_alive() for thread in self._threads)

    def work_once(self) -> bool:
        """Work on one event in this thread; return False when nothing was due. Raises DatabaseUnavailable."""
        return self._work(lambda: False)

    def work_along(self) -> bool:
        """Work on what is due until nothing is or the worker shall stop; otherwise as work_once().

        Each event is claimed in the commit that ends the one before it: one commit less for each.
        """
        return self._work(lambda: not self._stopping.is_set())

    def _work(self, may_claim_next: Callable[[], bool]) -> bool:
        with self._db_slot:
            claimed = queue.claim(self._db)
        if claimed is None:
            return False
        while claimed is not None:
            self.wake()  # there may be more: one claim calls the next thread
            claimed = self._process(Job(self._db, claimed, self._db_slot, may_claim_next))
        return True

    def _process(self, job: Job) -> Claimed | None:
        claimed = job.claimed
        with self._busy_lock:
            self._busy[claimed.lease.token] = claimed
        try:
            with self._db_slot:
                process_job(job, self._handlers, self._make_bot, self._buried)
        finally:
            with self._busy_lock:
                del self._busy[claimed.lease.token]
        return job.next_claim

    def drain(self) -> None:
        """Return when nothing is due any more; what is scheduled for later stays. Call it instead of start().

        Raises DatabaseUnavailable.
        """
        self._clock.look()
        locked_lanes.wake_forgotten(self._db)
        self._renewer.start()
        with ThreadPoolExecutor(len(self._threads)) as threads:
            ends = [threads.submit(self._run_dry) for _ in self._threads]
        self._end_renewing()
        for end in ends:
            end.result()
        self._after_drain()

    def _run(self) -> None:
        self._in_thread(self._warm_up)
        while not self._stopping.is_set():
            if not self._try_once():
                self._wait_for_work()

    def _run_dry(self) -> None:
        while not self._stopping.is_set():
            if self._try_once():
                continue
            if not self._is_awaited() and not self._is_anything_due():  # in this order: what came is due then
                return
            self._stopping.wait(DRAIN_POLL_SECONDS)

    def _is_anything_due(self) -> bool:
        with self._db.read() as tx:
            return queue.is_anything_due(tx, self._db.now(tx))

    def _try_once(self) -> bool:
        try:
            worked = self.work_along()
            self._troubles.forget()
            return worked
        except DatabaseUnavailable as unavailable:
            self._troubles.error("worker.database_unavailable", reason=str(unavailable))
        except Exception as error:  # noqa: BLE001 - a thread that ended would be missed by nobody
            self._troubles.error("worker.failed", error=describe_error(error))
        self._stopping.wait(1.0)
        return False

    def _wait_for_work(self) -> None:
        if not self._polling.acquire(blocking=False):
            self._wait_for_a_call(IDLE_SECONDS)
            return
        try:
            if self._commit_watch:
                self._wait_for_a_write(self._commit_watch)
            else:
                self._wait_for_a_call(self._until_next_look())
        finally:
            self._polling.release()

    def _wait_for_a_call(self, seconds: float) -> bool:
        """Return whether this thread shall look, or stop, before so many seconds are over."""
        with self._calls:
            if not self._called and not self._stopping.is_set():
                self._calls.wait(seconds)
            is_called = self._called > 0 or self._stopping.is_set()
            self._called = max(0, self._called - 1)
        return is_called

    def _wait_for_a_write(self, watch: CommitWatch) -> None:
        """Return when somebody calls, has written since we looked last, or something may be due."""
        left, until = WATCH_SECONDS, None
        while left > 0 and not (self._wait_for_a_call(min(left, WATCH_SECONDS)) or watch.has_changed()):
            until = until or time.monotonic() + self._until_next_look()  # asked once nobody has written for a while
            left = until - time.monotonic()

    def _until_next_look(self) -> float:
        """Return how long to wait if nobody calls: less than usual when a lane comes due before."""
        try:
            due_in = queue.seconds_to_next(self._db)
        except DatabaseUnavailable:
            due_in = None
        return self._poll_seconds if due_in is None else min(self._poll_seconds, max(due_in, LEAST_PAUSE_SECONDS))

    def _in_thread(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a worker without a warm start is still a worker
            log.warning("worker.warm_up_failed", extra={"error": describe_error(error)})

    def _renew(self) -> None:
        self._look_for_what_waits_too_long()
        while not self._stopped.wait(RENEW_SECONDS):
            with self._busy_lock:
                held = [claimed.lease for claimed in self._busy.values()]
            self._do("worker.leases_not_renewed", partial(leases.renew, self._db, held))
            self._look_for_what_waits_too_long()
            self._do("worker.tick_failed", self._on_tick)

    def _look_for_what_waits_too_long(self) -> None:
        self._do("worker.clock_not_checked", self._clock.look)
        self._do("worker.lanes_not_woken", self._wake_forgotten)
        self._do("database.log_not_truncated", self._bound_log)

    def _bound_log(self) -> None:
        if not self._db.bound_log():
            log.warning(
                "database.log_grows", extra={"reason": "another program has been reading from the file for long"}
            )

    def _wake_forgotten(self) -> None:
        """Call a thread for events whose lane was locked as they came: nobody was called then."""
        if locked_lanes.wake_forgotten(self._db):
            self.wake()

    def _end_renewing(self) -> None:
        self._stopped.set()
        if self._renewer.is_alive():
            self._renewer.join()
        self._do("worker.tick_failed", self._on_tick)

    def _do(self, event: str, step: Callable[[], None]) -> None:
        """Do one of the things that must not end the thread; log this event if it cannot be done."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the next time it may work
            reason = str(error) if isinstance(error, DatabaseUnavailable) else describe_error(error)
            self._troubles.error(event, reason=reason)
