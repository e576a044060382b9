"""A `grpc.aio.Channel` without a wire: calls run the servicers of this process, with the same interceptors.

A call runs in the task that awaits it: there is no task, no queue and no copy in between, so a slow reader slows the
servicer and a cancelled reader cancels it. Three things differ from a wire: a unary call that nobody awaits never begins;
messages are handed over, not copied, so neither side may change one afterwards; and context variables are the caller's.
"""
