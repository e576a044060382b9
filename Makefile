PYTHON ?= python3.11
BIN := .venv/bin
PROTO_OUT := protos/gen

.PHONY: protos
protos: ## regenerate the Python of the contract
	rm -rf $(PROTO_OUT)/trunkline/v1/*_pb2*
	$(BIN)/python -m grpc_tools.protoc -Iprotos -Iprotos/third_party \
		--python_out=$(PROTO_OUT) --pyi_out=$(PROTO_OUT) protos/trunkline/v1/*.proto
	$(BIN)/python -m grpc_tools.protoc -Iprotos -Iprotos/third_party \
		--plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
		--grpc_python_out=$(PROTO_OUT) --mypy_grpc_out=$(PROTO_OUT) protos/trunkline/v1/*_service.proto
