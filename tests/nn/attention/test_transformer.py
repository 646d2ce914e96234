import copy

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import MultiheadAttention, TransformerDecoderLayer, TransformerEncoderLayer
from torch.utils.flop_counter import FlopCounterMode

from graphmotion.nn.attention import transformer
from graphmotion.nn.attention.transformer import attend_single, decode, encode

N, T, C = 5, 7, 8
SIZES = (C, 2, 12, 0.0)


def make(layer, dropout=0.0):
    torch.manual_seed(0)
    block = layer(*SIZES[:3], dropout, batch_first=True).double()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return block


def padding(mask):
    if not mask:
        return None
    padded = torch.rand(N, T) > 0.6
    padded[:, 2] = False
    return padded


def results(run, block, *inputs):
    """Returns the output and the gradients of the inputs and the parameters."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    out = run(*inputs)
    weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
    return out, *torch.autograd.grad(out, [*inputs, *block.parameters()], weight)


@pytest.mark.parametrize('mask', [False, True])
def test_encode_equals_the_block(mask, monkeypatch, products):
    block, padded = make(TransformerEncoderLayer), padding(mask)
    x = torch.randn(N, T, C, dtype=torch.double)
    expected = results(lambda x: block(x, src_key_padding_mask=padded), block, x)
    monkeypatch.setattr(block, 'forward', None)  # not called
    for ours, theirs in zip(results(lambda x: encode(block, x, padded), block, x), expected):
        torch.testing.assert_close(ours, theirs)


def test_encode_by_convolutions(choose_products, monkeypatch):
    block = make(TransformerEncoderLayer)
    x = torch.randn(N, T, C, dtype=torch.double)
    expected = results(block, block, x)
    choose_products(True)
    for limit in ('MIN_PRODUCTS', 'MIN_ROWS'):
        monkeypatch.setattr(f'graphmotion.nn.linear.{limit}', 0)
    monkeypatch.setattr('graphmotion.nn.linear.NUM_IMAGES', [N])
    monkeypatch.setattr(torch.nn.functional, 'linear', None)  # not called
    for ours, theirs in zip(results(lambda x: encode(block, x), block, x), expected):
        torch.testing.assert_close(ours, theirs)


def test_encode_calls_a_block_with_hooks(products):
    block, seen = make(TransformerEncoderLayer), []
    block.linear1.register_forward_hook(lambda *_: seen.append('linear1'))
    x = torch.randn(N, T, C, dtype=torch.double)
    encode(block, x)
    encode(block.eval(), x)
    assert seen == ['linear1'] * 2


def test_encode_drops_features_of_an_evaluated_block_whose_dropout_is_trained(products):
    block = make(TransformerEncoderLayer, 0.5).eval()
    block.dropout1.train()
    x = torch.randn(N, T, C, dtype=torch.double)
    assert not torch.allclose(encode(block, x), encode(block, x))


@pytest.mark.parametrize('size', [1, 3, 100])
def test_feed_forward_in_blocks(size, monkeypatch):
    monkeypatch.setattr(transformer, 'BLOCK_SIZE', size)
    shapes = [(5, 2), (3, 2), (3,), (4, 3), (4,)]
    inputs = [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes]
    x, weight, bias, out_weight, out_bias = inputs
    expected = (x @ weight.t() + bias).clamp(min=0) @ out_weight.t() + out_bias
    torch.testing.assert_close(transformer._FeedForward.apply(*inputs), expected)
    assert gradcheck(transformer._FeedForward.apply, inputs)
    assert gradgradcheck(transformer._FeedForward.apply, inputs)


def test_encode_applies_dropout_and_equals_the_block_in_inference(products):
    block = make(TransformerEncoderLayer, 0.5)
    x = torch.randn(N, T, C, dtype=torch.double)
    assert not torch.allclose(encode(block, x), encode(block, x))
    with torch.no_grad():
        torch.testing.assert_close(encode(block.eval(), x), block(x))


def test_encode_calls_the_block_in_inference_without_convolutions(choose_products, monkeypatch):
    block = make(TransformerEncoderLayer).eval()
    monkeypatch.setattr(block, 'forward', lambda x, **_: x + 1)
    x = torch.randn(N, T, C, dtype=torch.double)
    choose_products(False)
    torch.testing.assert_close(encode(block, x), x + 1)
    choose_products(True)
    assert not torch.allclose(encode(block, x), x + 1)


@pytest.mark.parametrize('mask', [False, True])
def test_decode_equals_the_block(mask):
    block, padded = make(TransformerDecoderLayer), padding(mask)
    inputs = [torch.randn(*shape, C, dtype=torch.double) for shape in [(N,), (N, T)]]

    def run(query, memory):
        return block(query[:, None], memory, memory_key_padding_mask=padded)[:, 0]

    expected = results(run, block, *inputs)
    ours = results(lambda *inputs: decode(block, *inputs, padded), block, *inputs)
    for a, b in zip(ours, expected):
        torch.testing.assert_close(a, b)


def test_decode_drops_each_part():
    """The probabilities of the block apply to its weights, hidden layer and results."""
    block = make(TransformerDecoderLayer, 0.5)
    query, memory = (torch.randn(*shape, C, dtype=torch.double) for shape in [(N,), (N, T)])
    parts = ['dropout', 'dropout1', 'dropout2', 'dropout3', 'self_attn', 'multihead_attn']
    for kept in parts:
        other = copy.deepcopy(block)
        for name in set(parts) - {kept}:
            part = getattr(other, name)
            if isinstance(part, MultiheadAttention):
                part.dropout = 0.0
            else:
                part.p = 0.0
        assert not torch.allclose(decode(other, query, memory), decode(other, query, memory)), kept


def test_dropped_weights_also_drop_the_bias_of_the_values(monkeypatch):
    attention = make(TransformerDecoderLayer).multihead_attn
    query, memory = (torch.randn(*shape, C, dtype=torch.double) for shape in [(N,), (N, T)])
    kept = 2 * (torch.rand(N, 2, T, dtype=torch.double) > 0.5)
    monkeypatch.setattr(transformer, 'dropout', lambda x, p, training: x * kept)
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    q, k, v = (
        (x @ weight.t() + bias).unflatten(-1, (2, -1))
        for x, weight, bias in zip((query, memory, memory), weights, biases)
    )
    shares = (torch.einsum('nhd,nthd->nht', q, k) / (C / 2) ** 0.5).softmax(dim=-1) * kept
    expected = attention.out_proj(torch.einsum('nht,nthd->nhd', shares, v).flatten(1))
    torch.testing.assert_close(attend_single(attention, query, memory), expected)


def test_a_single_query_needs_fewer_operations():
    block = make(TransformerDecoderLayer)
    query, memory = torch.randn(N, C).double(), torch.randn(N, 50, C).double()
    counts = []
    for run in (lambda: decode(block, query, memory), lambda: block(query[:, None], memory)):
        with FlopCounterMode(display=False) as counter:
            run()
        counts.append(counter.get_total_flops())
    assert counts[0] < 0.5 * counts[1]
