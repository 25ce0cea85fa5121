# To be sourced, by bash or sh: `. launch/environment.sh`. What Open MPI needs in order to start as
# root (containers) and with more ranks than cores, without flags. Sets only what you have not set.
# A plain user with at least as many cores as ranks does not need it.

# Root is refused twice over without these two.
: "${OMPI_ALLOW_RUN_AS_ROOT:=1}" "${OMPI_ALLOW_RUN_AS_ROOT_CONFIRM:=1}"
# More ranks than cores; no binding of each rank to one core.
: "${OMPI_MCA_rmaps_base_oversubscribe:=1}" "${OMPI_MCA_hwloc_base_binding_policy:=none}"
# The same two for Open MPI 5.
: "${PRTE_MCA_rmaps_default_mapping_policy:=:oversubscribe}" "${PRTE_MCA_hwloc_default_binding_policy:=none}"
# Waiting ranks leave the core to working ones; containers forbid the single-copy mechanism.
: "${OMPI_MCA_mpi_yield_when_idle:=1}" "${OMPI_MCA_btl_vader_single_copy_mechanism:=none}"
# kantor has threads of its own (run.threads); OpenMP threads of LibTorch would only spin.
: "${OMP_NUM_THREADS:=1}"

export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM \
  OMPI_MCA_rmaps_base_oversubscribe OMPI_MCA_hwloc_base_binding_policy \
  PRTE_MCA_rmaps_default_mapping_policy PRTE_MCA_hwloc_default_binding_policy \
  OMPI_MCA_mpi_yield_when_idle OMPI_MCA_btl_vader_single_copy_mechanism OMP_NUM_THREADS
