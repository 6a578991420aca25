import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from rsmm.errors import ConfigError
from rsmm.evaluation.functional.knn import knn_scores


@pytest.fixture(scope='module')
def blobs():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 4
    centres = torch.randn(4, 8, generator=generator)
    return centres[labels] + 0.9 * torch.randn(200, 8, generator=generator), labels


def test_equals_scikit_learn(blobs):
    features, labels = blobs
    unit = torch.nn.functional.normalize(features).numpy()

    def weights(distances):  # cosine distance = 1 - similarity
        return np.exp((1 - distances) / 0.07)

    oracle = KNeighborsClassifier(20, weights=weights, metric='cosine', algorithm='brute')
    expected = oracle.fit(unit[:150], labels[:150]).predict_proba(unit[150:])
    scores = knn_scores(features[:150], labels[:150], features[150:], num_classes=4, chunk=7)
    np.testing.assert_allclose(scores.numpy(), expected, rtol=1e-3, atol=1e-5)


def test_nearest_neighbour_of_itself(blobs):
    features, labels = blobs
    assert torch.equal(knn_scores(features, labels, features, 4, k=1).argmax(1), labels)


def test_scores_sum_to_one_and_ignore_length(blobs):
    features, labels = blobs
    scores = knn_scores(features, labels, features, 4)
    torch.testing.assert_close(scores.sum(1), torch.ones(200))
    torch.testing.assert_close(scores, knn_scores(features * 7, labels, features * 0.1, 4))


@pytest.mark.parametrize('k', [0, 201])
def test_impossible_k(blobs, k):
    features, labels = blobs
    with pytest.raises(ConfigError, match=r'k must lie in 1\.\.200'):
        knn_scores(features, labels, features, 4, k=k)
