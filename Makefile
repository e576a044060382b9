PYTHON ?= python3.11
BIN := .venv/bin
PROTO_OUT := protos/gen

.PHONY: protos
protos: ## regenerate the Python of the contract
	rm -rf $(PROTO_OUT)/trunkline/v1/*_pb2*
	$(BIN)/python -m grpc_tools.protoc -Iprotos -Iprotos/third_party \
		--plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
		--python_out=$(PROTO_OUT) --pyi_out=$(PROTO_OUT) --grpc_python_out=$(PROTO_OUT) --mypy_grpc_out=$(PROTO_OUT) \
		protos/trunkline/v1/*.proto
