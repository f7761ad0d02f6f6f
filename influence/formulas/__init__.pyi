from .curvature import (
    check_damping as check_damping,
    damped_solver as damped_solver,
    hessian_solver as hessian_solver,
    influence_scores as influence_scores,
    last_layer_hessian as last_layer_hessian,
    leave_one_out_scores as leave_one_out_scores,
    minres as minres,
)
from .layers import (
    bias_gradients as bias_gradients,
    gradient_products as gradient_products,
    layer_products as layer_products,
    representer_scores as representer_scores,
    text_scores as text_scores,
    weight_gradients as weight_gradients,
    with_bias_input as with_bias_input,
)
from .loss import (
    logit_gradients as logit_gradients,
    probabilities_of as probabilities_of,
    tracin_term as tracin_term,
)
from .ranking import (
    extremes as extremes,
    random_same_label_scores as random_same_label_scores,
    random_scores as random_scores,
    strongest_candidates as strongest_candidates,
)
from .words import (
    adam_direction as adam_direction,
    add_word_scores as add_word_scores,
    position_norms as position_norms,
    top_k_positions as top_k_positions,
    word_contributions as word_contributions,
    word_gradients as word_gradients,
    word_products as word_products,
    word_scores as word_scores,
)
