import copy

import pytest
import torch

from benchmarks.operators.oracle import MaxQueryTransformer
from graphmotion.nn import TemporalDecoder
from graphmotion.nn.encoding import sinusoidal_encoding

N, T, C = 6, 7, 8


def make(**options) -> TemporalDecoder:
    sizes = {'heads': 2, 'num_encoder_layers': 2, 'num_decoder_layers': 2}
    return TemporalDecoder(C, **{**sizes, 'feedforward_channels': 12, **options}).eval()


@pytest.fixture
def x():
    return torch.randn(N, T, C)


def test_against_a_loop(x):
    """Loops over nodes and heads."""
    module = make(position=True).double()
    x = x.double()

    def attend(attention, query, memory):
        q, k, v = (
            part @ weight.t() + bias
            for part, weight, bias in zip(
                (query, memory, memory),
                attention.in_proj_weight.chunk(3),
                attention.in_proj_bias.chunk(3),
            )
        )
        heads = []
        for h in range(2):
            place = slice(h * C // 2, (h + 1) * C // 2)
            scores = torch.exp(q[:, place] @ k[:, place].t() / (C / 2) ** 0.5)
            heads.append(scores / scores.sum(dim=1, keepdim=True) @ v[:, place])
        out = attention.out_proj
        return torch.cat(heads, dim=1) @ out.weight.t() + out.bias

    def norm(layer, x):
        centred = x - x.mean(dim=-1, keepdim=True)
        scale = (centred.pow(2).mean(dim=-1, keepdim=True) + layer.eps).sqrt()
        return centred / scale * layer.weight + layer.bias

    def feed(block, x):
        hidden = (x @ block.linear1.weight.t() + block.linear1.bias).clamp(min=0)
        return hidden @ block.linear2.weight.t() + block.linear2.bias

    for node in range(N):
        memory = x[node] + sinusoidal_encoding(T, C, dtype=torch.float64)
        for block in module.encoder:
            memory = norm(block.norm1, memory + attend(block.self_attn, memory, memory))
            memory = norm(block.norm2, memory + feed(block, memory))
        memory = norm(module.encoder_norm, memory)
        query = x[node].max(dim=0).values.unsqueeze(0)
        for block in module.decoder:
            query = norm(block.norm1, query + attend(block.self_attn, query, query))
            query = norm(block.norm2, query + attend(block.multihead_attn, query, memory))
            query = norm(block.norm3, query + feed(block, query))
        torch.testing.assert_close(module(x)[node], norm(module.decoder_norm, query)[0])


def test_matches_transformer_of_torch(x):
    module = make()
    expected = MaxQueryTransformer(module).eval()(x)
    torch.testing.assert_close(module(x), expected, atol=1e-5, rtol=1e-5)


def test_parameters_of_the_published_system():
    def count(**options) -> int:
        module = TemporalDecoder(256, **options)
        return sum(parameter.numel() for parameter in module.parameters())

    assert count() == 11_576_320
    assert count(num_encoder_layers=1, num_decoder_layers=1) == 2_894_848


def test_the_order_of_frames_matters_only_with_positions(x):
    order = torch.randperm(T)
    module = make()
    torch.testing.assert_close(module(x[:, order]), module(x), atol=1e-5, rtol=1e-5)
    module = make(position=True)
    assert not torch.allclose(module(x[:, order]), module(x), atol=1e-3)


def test_nodes_do_not_mix(x):
    module = make()
    changed = x.clone()
    changed[2] += torch.randn(T, C)
    moved = (module(changed) - module(x)).abs().amax(dim=1)
    assert moved[2] > 1e-3
    assert moved[[0, 1, 3, 4, 5]].max() < 1e-6


def test_padded_frames_have_no_effect(x):
    """At any position and with any values, forward and backward."""
    lengths = [7, 1, 3, 5, 2, 7]
    mask = torch.zeros(N, T, dtype=torch.bool)
    for node, length in enumerate(lengths):
        mask[node, torch.randperm(T)[:length]] = True
    for options in ({}, {'num_encoder_layers': 0}):
        module = make(**options)
        padded = torch.where(mask.unsqueeze(-1), x, 100.0).requires_grad_()
        out = module(padded, mask)
        alone = torch.stack([module(part[real].unsqueeze(0))[0] for part, real in zip(x, mask)])
        torch.testing.assert_close(out, alone, atol=1e-5, rtol=1e-5)
        with torch.no_grad():
            torch.testing.assert_close(module(padded, mask), alone, atol=1e-5, rtol=1e-5)
        (gradient,) = torch.autograd.grad((out * torch.randn_like(out)).sum(), padded)
        assert gradient[~mask].abs().max() == 0
        assert gradient[mask].abs().amin() > 0


def test_padding_at_the_end_with_positions(x):
    module = make(position=True)
    mask = (torch.arange(T) < 4).expand(N, T)
    torch.testing.assert_close(module(x, mask), module(x[:, :4]), atol=1e-5, rtol=1e-5)


def test_a_mask_of_real_frames_changes_nothing(x):
    module = make()
    torch.testing.assert_close(module(x, torch.ones(N, T, dtype=torch.bool)), module(x))


def test_a_node_without_real_frames_is_finite(x):
    module = make()
    mask = torch.ones(N, T, dtype=torch.bool)
    mask[3] = False
    x = x.requires_grad_()
    out = module(x, mask)
    assert out.isfinite().all()
    assert torch.autograd.grad(out.sum(), x)[0].isfinite().all()


def test_a_single_frame(x):
    """All attention weights are one, so that queries and keys of the memory have no effect."""
    module = make(num_encoder_layers=0)
    single = x[:, :1]
    out = module(single)
    with torch.no_grad():
        for block in module.decoder:
            block.multihead_attn.in_proj_weight[: 2 * C].normal_()
    torch.testing.assert_close(module(single), out)
    assert not torch.allclose(module(x), make(num_encoder_layers=0)(x))


def test_without_an_encoder_the_decoder_reads_the_input(x):
    module = make(num_encoder_layers=0)
    assert not list(module.encoder.parameters()) + list(module.encoder_norm.parameters())
    repeated = x[:, :1].expand(N, T, C)
    torch.testing.assert_close(module(repeated), module(x[:, :1]), atol=1e-5, rtol=1e-5)


def test_dropout_is_active_in_training_only(x):
    module = make(dropout=0.5)
    torch.testing.assert_close(module(x), module(x))
    module.train()
    assert not torch.allclose(module(x), module(x))


def test_the_query_is_the_maximum(x):
    """If attention and feedforward layers are zero, the output is the normalised maximum."""
    module = make(num_decoder_layers=1)
    with torch.no_grad():
        for name, parameter in module.decoder.named_parameters():
            if 'norm' not in name:
                parameter.zero_()
    expected = torch.nn.functional.layer_norm(x.max(dim=1).values, (C,))
    torch.testing.assert_close(module(x), expected, atol=1e-3, rtol=1e-3)


def test_reset_changes_all_parameters():
    module = make()
    before = copy.deepcopy(module.state_dict())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(7.0)
    module.reset_parameters()
    for name, value in module.state_dict().items():
        assert value.max() < 7, name
        if value.dim() > 1:
            assert not torch.equal(value, before[name]), name
    for name, value in module.named_parameters():
        if name.endswith(('in_proj_bias', 'out_proj.bias')):
            assert value.abs().max() == 0


@pytest.mark.slow
def test_compiles_and_exports_with_a_mask(x):
    module = make(position=True)
    mask = torch.rand(N, T) > 0.4
    expected = module(x, mask)
    torch._dynamo.reset()
    compiled = torch.compile(module, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(x, mask), expected)
    program = torch.export.export(module, (x, mask))
    torch.testing.assert_close(program.module()(x, mask), expected)


def test_dtype_under_autocast(x):
    module = make(position=True)
    mask = torch.rand(N, T) > 0.4
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert module(x.bfloat16(), mask).dtype == torch.bfloat16
    assert module.bfloat16()(x.bfloat16(), mask).dtype == torch.bfloat16


def test_invalid_input_raises(x):
    with pytest.raises(ValueError, match='channels must be a multiple of heads=3, got 8'):
        TemporalDecoder(C, heads=3)
    with pytest.raises(ValueError, match='num_decoder_layers must be an integer >= 1, got 0'):
        TemporalDecoder(C, num_decoder_layers=0)
    module = make()
    with pytest.raises(ValueError, match=r'x must have shape .*, got \[6, 8\]'):
        module(x[:, 0])
    with pytest.raises(ValueError, match='with at least one frame'):
        module(x[:, :0])
    with pytest.raises(ValueError, match=r'mask must be .*, got torch.bool of shape \[6, 6\]'):
        module(x, torch.ones(N, T - 1, dtype=torch.bool))
    with pytest.raises(ValueError, match=r'mask must be a boolean .* got torch\.float32'):
        module(x, torch.ones(N, T))
