"""The gRPC server that keeps the trunkline contract."""
