"""Every RPC with a `google.api.http` annotation, as REST: routes and JSON from the contract's descriptors alone."""
